"""Dead letters: the record as it came, and why."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.given import AT, WRITER, Record
from worker.wire.journal import pack_headers, unpack_headers
from worker.wire.outgoing import Outgoing, Topic, restore
from worker.wire.records import Headers
from worker.wire.request import Unreadable, Why

HEADERS = st.lists(st.tuples(st.text(), st.none() | st.binary()))
WHY = Unreadable(Why.NOT_JSON, "The value is not JSON at character 0.")
ODD = Record(b"\xff", key=None, headers=(("a", None), ("a", b""), ("b", b"\xff"), ("billing-reason", b"theirs")))
ROOM = 1_000_000


def letter(record: Record, why: Unreadable = WHY, room: int = ROOM) -> Outgoing:
    return WRITER.dead_letter(record, why, AT, room)


def test_a_record_lies_there_as_it_came_with_the_reasons_behind_its_headers() -> None:
    written = letter(ODD)

    assert (written.topic, written.key, written.value) == (Topic.DEAD_LETTERS, None, b"\xff")
    assert tuple(written.headers) == (
        *ODD.headers,
        ("billing-reason", b"NOT_JSON"),
        ("billing-detail", b"The value is not JSON at character 0."),
        ("billing-topic", b"billing.commands"),
        ("billing-partition", str(ODD.partition).encode()),
        ("billing-offset", b"42"),
        ("billing-timestamp", b"1795341600123"),
    )


@pytest.mark.parametrize("nothing", [None, b""])
def test_null_and_empty_stay_apart(nothing: bytes | None) -> None:
    written = letter(Record(nothing, key=nothing))

    assert (written.key, written.value) == (nothing, nothing)


def test_a_long_detail_is_cut_between_characters() -> None:
    detail = dict(letter(ODD, Unreadable(Why.INTERNAL_ERROR, "a" + "ü" * 1_000)).headers)["billing-detail"]

    assert detail is not None
    assert len(detail) <= 1024
    assert detail.decode() == "a" + "ü" * 511


@pytest.mark.parametrize(
    ("record", "missing"),
    [
        (Record(b"v" * 100, headers=(("x", b"h" * 20_000),)), "headers"),
        (Record(b"v" * 20_000, headers=(("x", b"h" * 20_000),)), "headers, value"),
        (Record(b"v" * 20_000), "headers, value"),
        (Record(b"v", key=b"k" * 20_000), "headers, value, key"),
    ],
)
def test_it_is_never_larger_than_the_topic_takes(record: Record, missing: str) -> None:
    written = letter(record, room=16_384)

    assert written.bytes_max <= 16_384
    assert dict(written.headers)["billing-truncated"] == missing.encode()
    assert dict(written.headers)["billing-offset"] == b"42"


@given(HEADERS)
def test_headers_come_back_from_the_journal(headers: Headers) -> None:
    assert list(unpack_headers(pack_headers(headers))) == list(headers)


@given(HEADERS, st.none() | st.binary(), st.none() | st.binary())
def test_a_dead_letter_comes_back_from_the_journal(headers: Headers, key: bytes | None, value: bytes | None) -> None:
    written = letter(replace(ODD, headers=tuple(headers), key=key, value=value))

    packed = pack_headers(written.headers)
    assert restore(written.topic, written.key, written.value, packed, written.timestamp_ms) == written
