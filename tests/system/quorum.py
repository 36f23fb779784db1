"""Which node of a cluster is the active controller: clients are told of any broker in its place, the quorum knows.

The request is put together by hand: no client library for Python knows it.
"""

import socket
import struct

DESCRIBE_QUORUM = 55
METADATA_TOPIC = b"__cluster_metadata"
ANSWER_SECONDS_MAX = 2.0
NO_TAGS = b"\x00"


def active_controller(bootstrap_server: str) -> int | None:
    """The id of the node that a broker believes to lead the quorum; None if it does not say."""
    header = struct.pack(">hhih", DESCRIBE_QUORUM, 0, 1, -1) + NO_TAGS  # version 0, correlation 1, no client id
    partitions = _length(1) + struct.pack(">i", 0) + NO_TAGS
    topics = _length(1) + _length(len(METADATA_TOPIC)) + METADATA_TOPIC + partitions + NO_TAGS
    try:
        answer = exchange(bootstrap_server, header + topics + NO_TAGS)
    except OSError:
        return None
    return _leader(answer)


def exchange(server: str, request: bytes) -> bytes:
    """Send a request, header and all, and return the answer from its correlation id on. Raises OSError."""
    host, _, port = server.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS_MAX) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        with connection.makefile("rb") as stream:
            (length,) = struct.unpack(">i", stream.read(4).ljust(4, b"\x00"))
            return stream.read(length)


def _leader(answer: bytes) -> int | None:
    """Header (correlation, tags), error, then one topic with one partition: id, error, leader, and more."""
    before = 4 + 1 + 2 + 1 + 1 + len(METADATA_TOPIC) + 1
    if len(answer) < before + 10:
        return None
    _partition, error, leader = struct.unpack_from(">ihi", answer, before)
    return int(leader) if error == 0 and leader >= 0 else None


def _length(count: int) -> bytes:
    """Of a string or an array, as Kafka's compact form has it: one more, in one byte if it is small."""
    return bytes([count + 1])
