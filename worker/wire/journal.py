"""Headers as one value for the journal: order, repetition, and null apart from empty, all kept."""

from struct import Struct
from typing import Final

from worker.wire.records import Headers

_LENGTH: Final = Struct(">i")
_NULL: Final = -1


def pack_headers(headers: Headers) -> bytes:
    """Length and name, length and value (-1: null), one after the other."""
    packed = bytearray()
    for name, value in headers:
        encoded = name.encode(errors="surrogatepass")
        packed += _LENGTH.pack(len(encoded)) + encoded
        packed += _LENGTH.pack(_NULL) if value is None else _LENGTH.pack(len(value)) + value
    return bytes(packed)


def unpack_headers(packed: bytes) -> Headers:
    """The headers that were packed."""
    headers: list[tuple[str, bytes | None]] = []
    at = 0
    while at < len(packed):
        name, at = _piece(packed, at)
        value, at = _piece(packed, at)
        headers.append(((name or b"").decode(errors="surrogatepass"), value))
    return tuple(headers)


def _piece(packed: bytes, at: int) -> tuple[bytes | None, int]:
    (length,) = _LENGTH.unpack_from(packed, at)
    at += _LENGTH.size
    return (None, at) if length == _NULL else (packed[at : at + length], at + length)
