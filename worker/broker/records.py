r"""Header names that are not UTF-8: the client raises on them wherever it reads, and loses what it had read.

Kafka takes any bytes as a header's name. Here such names are read with `\\xNN` for what is not UTF-8.
"""

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy, _DefaultRecordPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy
from aiokafka.record.util import decode_varint


class TolerantRecords:
    """The client's own reader of fetched batches, which reads a batch once more by hand where a name stops it."""

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
        try:
            return iter(list(self._batch))
        except UnicodeDecodeError:
            return _read_by_hand(_DefaultRecordBatchPy(self._raw))


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


def read_any_header_name() -> None:
    """Let every consumer of this process read so. There is no hook for it: the client's own name is replaced."""
    fetcher.MemoryRecords = TolerantRecords
