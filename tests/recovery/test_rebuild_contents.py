"""The quick reader of commands that were answered says of their content what the strict one does."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.recovery.rebuild.contents import content_of_answered
from worker.wire.incoming import content_of

ENVELOPE = {
    "specversion": "1.0",
    "id": "c-1",
    "source": "tests",
    "type": "billing.account.update.v1",
    "organization": "acme",
    "actor": "jo@example.com",
}
HEADERS = (("content-type", b"application/cloudevents+json"), ("trace", None))
BYTES_MAX = 4_096

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([-0.0, 2**53, 2**64, -1])
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text() | st.sampled_from(["\ud800", "\U0001f600", "\uffff"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)


def record(value: bytes | None, headers: tuple[tuple[str, bytes | None], ...] = HEADERS) -> Any:
    return SimpleNamespace(value=value, headers=headers, topic="commands", partition=0, offset=0, key=b"acme")


@given(data=values, version=st.none() | numbers, is_ascii=st.booleans(), indent=st.none() | st.just(2))
def test_the_content_of_a_readable_command_is_the_same(
    data: object, version: object, *, is_ascii: bool, indent: int | None
) -> None:
    envelope = ENVELOPE | {"data": data, "expectedversion": version}
    text = json.dumps(envelope, ensure_ascii=is_ascii, indent=indent)
    command = record(text.encode(errors="surrogatepass"))
    strictly = content_of(command, BYTES_MAX)

    if strictly is not None:
        assert content_of_answered(command, BYTES_MAX) == strictly


@pytest.mark.parametrize("number", ["-0", "1.0", "1E5", "1e400", "123456789012345678901234567890", "0.1", "7"])
def test_a_number_counts_as_it_was_written(number: str) -> None:
    text = json.dumps(ENVELOPE | {"data": {"n": "N"}}).replace('"N"', number)
    command = record(text.encode())

    assert content_of_answered(command, BYTES_MAX) == content_of(command, BYTES_MAX) is not None


def test_attributes_in_headers_count() -> None:
    headers = (
        ("content-type", b"application/json"),
        *((f"ce_{name}", said.encode()) for name, said in ENVELOPE.items()),
    )
    command = record(b'{"account":"main"}', headers)
    other = record(b'{"account":"main"}', (*headers[:-1], ("ce_actor", b"else@example.com")))

    assert content_of_answered(command, BYTES_MAX) == content_of(command, BYTES_MAX) is not None
    assert content_of_answered(other, BYTES_MAX) != content_of_answered(command, BYTES_MAX)


@pytest.mark.parametrize("value", [None, b"", b"[]", b"{", b"x" * (BYTES_MAX + 1)])
def test_what_cannot_be_read_has_no_content(value: bytes | None) -> None:
    assert content_of_answered(record(value), BYTES_MAX) is None
