"""How far a compressed batch may unpack: brokers limit only what is packed, and the client unpacks a batch at once.

A megabyte of a topic can unpack to gigabytes. There is no hook for it: the client's own functions are replaced.
"""

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Final

from aiokafka import codec
from aiokafka.record import default_records

UNPACKED_BYTES_MAX: Final = 16 * 1024 * 1024
"""Publishers put up to about 1 MiB, before compression, into a batch."""
RECORDS_MAX: Final = 200_000
"""More than a batch of 1 MiB holds without compression."""

NAMES: Final = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}

_SKIPPED_MAGIC: Final = 0x184D2A50
_ZSTD_MAGIC, _ZSTD_BLOCK_BYTES_MAX = 0xFD2FB528, 128 * 1024
_LZ4_MAGIC, _LZ4_RATIO_MAX = 0x184D2204, 256
_LZ4_BLOCK_BYTES_MAX: Final = {4: 64 * 1024, 5: 256 * 1024, 6: 1024 * 1024, 7: 4 * 1024 * 1024}


class UnpacksTooFar(Exception):  # noqa: N818 - what the batch does, not what fails
    """Unpacking a batch could take more memory than a worker has."""


def gunzip(packed: bytes) -> bytes:
    """Unpack as far as may be: nothing before the end of gzip's data tells their size in a way that can be trusted."""
    unpacked, rest = b"", bytes(packed)
    while rest:
        member = zlib.decompressobj(wbits=31)
        unpacked += member.decompress(rest, UNPACKED_BYTES_MAX + 1 - len(unpacked))
        if len(unpacked) > UNPACKED_BYTES_MAX:
            raise UnpacksTooFar
        if not member.eof:
            raise EOFError("gzip's data end before their end mark")
        rest = member.unused_data.lstrip(b"\0")
    return unpacked


def _only_within(
    blocks: Callable[[bytes], Iterator[int]], unpack: Callable[[bytes], bytes]
) -> Callable[[bytes], bytes]:
    """As `unpack`, but first add up to how much each block can unpack at the most: that takes no unpacking."""

    def unpack_within(packed: bytes) -> bytes:
        size = 0
        for block in blocks(packed):
            size += block
            if size > UNPACKED_BYTES_MAX:
                raise UnpacksTooFar
        return unpack(packed)

    return unpack_within


def zstd_blocks(packed: bytes) -> Iterator[int]:
    """Each block, and each frame, counts as a whole one: ordinary batches have eight a megabyte."""
    at = 0
    while at + 4 < len(packed):
        yield _ZSTD_BLOCK_BYTES_MAX
        if (beyond := _skipped(packed, at, _ZSTD_MAGIC)) is not None:
            at = beyond
            continue
        about = packed[at + 4]
        has_one_segment, has_checksum = bool(about & 0x20), bool(about & 0x04)
        size_bytes = (int(has_one_segment), 2, 4, 8)[about >> 6]
        at += 5 + (not has_one_segment) + (0, 1, 2, 4)[about & 3] + size_bytes
        is_last = False
        while not is_last and at < len(packed):
            header = _number(packed, at, 3)
            is_last, is_repeated = bool(header & 1), header >> 1 & 3 == 1
            at += 3 + (1 if is_repeated else header >> 3)
            yield _ZSTD_BLOCK_BYTES_MAX
        at += 4 * has_checksum


def lz4_blocks(packed: bytes) -> Iterator[int]:
    """Each block as large as its frame lets blocks be, or as what is in it can unpack to."""
    at = 0
    while at + 6 < len(packed):
        yield 0
        if (beyond := _skipped(packed, at, _LZ4_MAGIC)) is not None:
            at = beyond
            continue
        about, block_bytes_max = packed[at + 4], _LZ4_BLOCK_BYTES_MAX.get(packed[at + 5] >> 4 & 7, 0)
        at += 7 + (8 if about & 0x08 else 0) + (4 if about & 0x01 else 0)
        while size := _number(packed, at, 4) & 0x7FFFFFFF:
            at += 4 + size + (4 if about & 0x10 else 0)
            yield min(block_bytes_max, _LZ4_RATIO_MAX * size)
        at += 4 + (4 if about & 0x04 else 0)


def _skipped(packed: bytes, at: int, magic: int) -> int | None:
    """Where a frame ends that readers skip; None for a frame of this magic. Frames of old forms cannot be measured."""
    found = _number(packed, at, 4)
    if found == magic:
        return None
    if found & ~0xF != _SKIPPED_MAGIC:
        raise UnpacksTooFar
    return at + 8 + _number(packed, at + 4, 4)


def _number(packed: bytes, at: int, size: int) -> int:
    return int.from_bytes(packed[at : at + size], "little")


def limit_unpacking() -> None:
    """Let every consumer of this process raise UnpacksTooFar. Snappy packs 21 times at the most: it needs no limit."""
    for module in {default_records.__name__, default_records.DefaultRecordBatch.__module__}:  # in Python, and compiled
        reader = vars(sys.modules[module])
        reader["gzip_decode"] = gunzip
        reader["lz4_decode"] = _only_within(lz4_blocks, codec.lz4_decode)
        reader["zstd_decode"] = _only_within(zstd_blocks, codec.zstd_decode)
