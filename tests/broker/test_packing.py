"""What a compressed batch may unpack to: found out before it is unpacked, and nothing ordinary is refused."""

import json
import tracemalloc
from collections.abc import Callable

import cramjam
import pytest
from aiokafka import codec
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder, _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy

from worker.broker.packing import NAMES, RECORDS_MAX, UNPACKED_BYTES_MAX, UnpacksTooFar
from worker.broker.records import TolerantRecords, read_any_batch

read_any_batch()

GZIP, LZ4, ZSTD = 1, 3, 4
PACKINGS = pytest.mark.parametrize("packing", [GZIP, LZ4, ZSTD], ids=NAMES.get)
READERS = pytest.mark.parametrize("reader", [MemoryRecords, _MemoryRecordsPy], ids=["compiled", "python"])
HEADER_BYTES, COUNT = 61, slice(57, 61)
MIB = 1024 * 1024
COMMANDS = b"".join(json.dumps({"id": f"c-{n * 7919 % 10_007}", "n": n}).encode() for n in range(60_000))


def batch_of(packing: int, *values: bytes) -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=packing,
        is_transactional=False,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1 << 30,
    )
    for offset, value in enumerate(values):
        builder.append(offset, timestamp=1_000, key=None, value=value, headers=[])
    return bytes(builder.build())


def packed_as(packing: int, packed: bytes) -> bytes:
    """A batch of anything; the client reads its packed part before it looks at any record."""
    batch = bytearray(batch_of(packing, b" " * 1_000)[:HEADER_BYTES]) + packed
    batch[8:12] = (len(batch) - 12).to_bytes(4, "big")
    return bytes(batch)


@PACKINGS
def test_a_batch_of_a_megabyte_is_read_as_ever(packing: int) -> None:
    (*values,) = (COMMANDS[at : at + 300] for at in range(0, MIB, 300))
    records = list(TolerantRecords(batch_of(packing, *values)).next_batch())

    assert [record.value for record in records] == values


@PACKINGS
@READERS
def test_what_unpacks_too_far_is_told_before_it_takes_memory(
    packing: int, reader: Callable[[bytes], MemoryRecords]
) -> None:
    batch = batch_of(packing, b" " * (8 * UNPACKED_BYTES_MAX))
    tracemalloc.start()
    try:
        with pytest.raises(UnpacksTooFar):
            iter(reader(batch).next_batch())
        assert tracemalloc.get_traced_memory()[1] < 3 * UNPACKED_BYTES_MAX
    finally:
        tracemalloc.stop()


@PACKINGS
def test_a_batch_that_unpacks_too_far_is_one_record_in_its_last_place(packing: int) -> None:
    batch = batch_of(packing, b"{}", b" " * (UNPACKED_BYTES_MAX + 1))
    (record,) = TolerantRecords(batch).next_batch()

    assert (record.offset, record.timestamp, record.key) == (1, 1_000, None)
    assert record.value == batch[HEADER_BYTES:]
    assert record.headers == [("billing-packed-batch", f"{NAMES[packing]}, 2 records".encode())]


@PACKINGS
def test_more_records_than_a_batch_holds_are_not_unpacked(packing: int) -> None:
    batch = bytearray(batch_of(packing, *[b"{}"] * 100))
    batch[COUNT] = (RECORDS_MAX + 1).to_bytes(4, "big")
    (record,) = TolerantRecords(bytes(batch)).next_batch()

    assert record.offset == 99


def zstd(level: int) -> Callable[[bytes], bytes]:
    return lambda unpacked: bytes(cramjam.zstd.compress(unpacked, level=level))


def lz4(**options: bool) -> Callable[[bytes], bytes]:
    def pack(unpacked: bytes) -> bytes:
        compressor = cramjam.lz4.Compressor(level=1, **options)
        compressor.compress(unpacked)
        return bytes(compressor.finish())

    return pack


SKIPPED = bytes.fromhex("502a4d18 03000000 616263")
FORMS = {
    "gzip": (GZIP, codec.gzip_encode),
    "zstd, fastest": (ZSTD, zstd(1)),
    "zstd, smallest": (ZSTD, zstd(19)),
    "lz4, linked": (LZ4, lz4(block_linked=True)),
    "lz4, with a checksum": (LZ4, lz4(content_checksum=True)),
}


@pytest.mark.parametrize(("packing", "pack"), FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("make", [DefaultRecordBatch, _DefaultRecordBatchPy], ids=["compiled", "python"])
def test_every_form_of_packing_is_unpacked_and_measured_to_its_end(
    packing: int, pack: Callable[[bytes], bytes], make: Callable[[bytes], DefaultRecordBatch]
) -> None:
    """Frames that follow others, and those to be skipped, count as well."""
    frames = pack(COMMANDS) * 2
    if packing == ZSTD:
        frames = SKIPPED + frames
    iter(make(packed_as(packing, frames)))

    with pytest.raises(UnpacksTooFar):
        iter(make(packed_as(packing, frames + pack(b" " * UNPACKED_BYTES_MAX))))


def test_zstandard_with_a_checksum_and_repeated_blocks_is_measured_to_its_end() -> None:
    """Frames put together by hand: no library at hand writes them so."""
    head, repeated = bytes.fromhex("28b52ffd 04 58"), (1 | 1 << 1 | 1_000 << 3).to_bytes(3, "little") + b" "
    frame = head + repeated + b"0000"
    few, many = packed_as(ZSTD, frame * 5), packed_as(ZSTD, frame * 70)

    with pytest.raises(cramjam.DecompressionError):  # the library's word, for the checksum is none
        iter(DefaultRecordBatch(few))
    with pytest.raises(UnpacksTooFar):
        iter(DefaultRecordBatch(many))


@pytest.mark.parametrize("size", range(1, 60, 3))
@PACKINGS
def test_packed_bytes_that_end_too_early_are_an_error_of_the_library_and_never_no_end(packing: int, size: int) -> None:
    whole = FORMS[{GZIP: "gzip", LZ4: "lz4, with a checksum", ZSTD: "zstd, fastest"}[packing]][1](COMMANDS)

    with pytest.raises((EOFError, cramjam.DecompressionError)):
        iter(DefaultRecordBatch(packed_as(packing, whole[:size])))


@pytest.mark.parametrize("packing", [LZ4, ZSTD], ids=NAMES.get)
def test_frames_of_forms_that_cannot_be_measured_are_not_unpacked(packing: int) -> None:
    for magic in ("27b52ffd", "02214c18"):
        with pytest.raises(UnpacksTooFar):
            iter(DefaultRecordBatch(packed_as(packing, bytes.fromhex(magic) + b" " * 100)))
