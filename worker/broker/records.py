r"""Batches that stop the client wherever it reads them, and what it had read is lost.

Kafka takes any bytes as a header's name: here such names are read with `\\xNN` for what is not UTF-8. And a batch may
unpack to more than a worker has memory for: here it is read as one record, with what is packed for its value.
"""

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.record.default_records import _DefaultRecordBatchPy, _DefaultRecordPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy
from aiokafka.record.util import decode_varint

from worker.broker.packing import NAMES, RECORDS_MAX, UnpacksTooFar, limit_unpacking


class TolerantRecords:
    """The client's own reader of fetched batches, which reads a batch once more by hand where it stops."""

    def __init__(self, fetched: bytes) -> None:
        self._fast, self._slow = MemoryRecords(fetched), _MemoryRecordsPy(fetched)
        self.has_next, self.size_in_bytes = self._fast.has_next, self._fast.size_in_bytes

    def next_batch(self) -> "TolerantBatch":
        """The next batch; its records are read when it is iterated."""
        return TolerantBatch(self._fast.next_batch(), self._slow._next_slice, self._slow._cache_next)  # noqa: SLF001


class TolerantBatch:
    """One batch."""

    def __init__(self, batch: Any, raw: Any, forward: Any) -> None:
        self._batch, self._raw = batch, raw
        forward()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        if self._batch.compression_type and self._slow()._num_records > RECORDS_MAX:  # noqa: SLF001
            return iter([_as_one(self._slow())])
        try:
            return iter(list(self._batch))
        except UnicodeDecodeError:
            return _read_by_hand(self._slow())
        except UnpacksTooFar:
            return iter([_as_one(self._slow())])

    def _slow(self) -> _DefaultRecordBatchPy:
        return _DefaultRecordBatchPy(self._raw)


def _as_one(batch: _DefaultRecordBatchPy) -> _DefaultRecordPy:
    """A batch that is not to be unpacked, as one record in its last place: no packed batch is JSON."""
    packed = bytes(batch._buffer[batch._pos :])  # noqa: SLF001
    what = f"{NAMES[batch.compression_type]}, {batch._num_records} records"  # noqa: SLF001
    place, at = batch.next_offset - 1, batch.max_timestamp
    return _DefaultRecordPy(place, at, batch.timestamp_type, None, packed, [("billing-packed-batch", what.encode())])


def _read_by_hand(batch: _DefaultRecordBatchPy) -> Iterator[_DefaultRecordPy]:
    """As `_DefaultRecordBatchPy._read_msg` does, but with names that may be any bytes."""
    batch._maybe_uncompress()  # noqa: SLF001
    buffer, pos = batch._buffer, batch._pos  # noqa: SLF001

    def number() -> int:
        nonlocal pos
        value, pos = decode_varint(buffer, pos)
        return int(value)

    def text() -> bytes | None:
        nonlocal pos
        size = number()
        if size < 0:
            return None
        pos += size
        return bytes(buffer[pos - size : pos])

    for _ in range(batch._num_records):  # noqa: SLF001
        number()
        pos += 1
        delta = number()
        at = batch.max_timestamp if batch.timestamp_type else batch.first_timestamp + delta
        offset, key, value = batch.base_offset + number(), text(), text()
        headers = [((text() or b"").decode(errors="backslashreplace"), text()) for _ in range(number())]
        yield _DefaultRecordPy(offset, at, batch.timestamp_type, key, value, headers)


def as_read(key: bytes | None) -> bytes | None:
    """As a consumer's `key_deserializer`: it gives plain records, without topic and partition, in half the time."""
    return key


class _Records(PartitionRecords):  # type: ignore[misc]  # untyped
    def _consumer_record(self, tp: Any, record: Any) -> Any:
        return record if self._key_deserializer is as_read else super()._consumer_record(tp, record)


def read_any_batch() -> None:
    """Let every consumer of this process read so. There is no hook for it: the client's own names are replaced."""
    fetcher.MemoryRecords = TolerantRecords
    fetcher.PartitionRecords = _Records
    limit_unpacking()
