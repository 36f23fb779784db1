"""What a client of PostgreSQL sends is counted exactly, however it is cut into pieces."""

import struct

import pytest

from benchmarks.tap import Client, Counts

ENCRYPTION_REQUEST = struct.pack(">ii", 8, 80877103)
START = struct.pack(">ii", 12, 196608) + b"a\0\0\0"


def message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack(">i", 4 + len(body)) + body


SENT = b"".join(
    [
        ENCRYPTION_REQUEST,
        START,
        message(b"Q", b"BEGIN\0"),
        message(b"P", b"QQEE"),
        message(b"B"),
        message(b"E", b"\0" * 5),
        message(b"S"),
        message(b"d", b"QEQE" * 100),
        message(b"c"),
        message(b"Q", b"COMMIT\0"),
    ]
)


@pytest.mark.parametrize("piece", [1, 3, 7, 10_000])
def test_queries_and_executions_are_counted_whatever_the_pieces(piece: int) -> None:
    client = Client(Counts())

    for first in range(0, len(SENT), piece):
        client.take(SENT[first : first + piece])

    assert client.counts.statements == 3
    assert client.rest == b""
