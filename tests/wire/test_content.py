"""Same content, same hash: RFC 8785, and what it cannot take."""

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from tests.wire.given import BIND, CREATE, TRACEPARENT, Record, binary, request, structured
from worker.wire.canonical import canonical
from worker.wire.strict_json import read_json

SAFE = 2**53 - 1
CHARACTERS = st.characters(exclude_categories=["Cs"])
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-SAFE, SAFE)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(CHARACTERS)
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(CHARACTERS), inner), max_leaves=20
)


def as_read(value: object) -> object:
    return read_json(json.dumps(value).encode())


@given(VALUES)
@example({"\ue000": 1, "\U00010000": 2})
@example({"é": 1, "e": 2, "\x7f": "\x7f\u2028"})
@example([1.0, -0.0, 1e21, 1e-7, 123456789.0, 5e-324])
def test_canonical_bytes_are_those_of_rfc_8785(value: object) -> None:
    assert canonical(as_read(value)) == rfc8785.dumps(value)  # type: ignore[arg-type]


ANYTHING = st.recursive(
    LEAVES | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(ANYTHING)
@example({"\ud800": 1})
@example([float("inf"), 2**64, "\udfff"])
def test_canonical_bytes_exist_for_whatever_json_can_say(value: object) -> None:
    read = with_infinity(value)

    assert canonical(read) == canonical(with_infinity(read))


def with_infinity(value: object) -> object:
    """As read from JSON, infinity written as a number that is too large for a float."""
    return read_json(json.dumps(value).replace("Infinity", "1e999").encode())


def shuffled(envelope: dict[str, Any]) -> dict[str, Any]:
    data = dict(reversed(envelope["data"].items()))
    return dict(reversed({**envelope, "data": data}.items()))


SAME: dict[str, Record] = {
    "again": structured(CREATE),
    "other key order": structured(shuffled(dict(CREATE))),
    "white space": Record(json.dumps(CREATE, indent=3).encode()),
    "escapes": Record(json.dumps(CREATE).replace("Main", "M\\u0061in").encode()),
    "other time": structured({**CREATE, "time": "2026-01-01T00:00:00Z"}),
    "other source": structured({**CREATE, "source": "/other"}),
    "other trace": structured({**CREATE, "traceparent": TRACEPARENT, "tracestate": "a=b"}),
    "other correlation": structured({**CREATE, "correlationid": "other", "subject": "x"}),
    "dry": structured({**CREATE, "dryrun": True}),
    "null attributes": structured({**CREATE, "expectedversion": None}),
    "binary mode": binary(CREATE),
}
OTHER: dict[str, Record] = {
    "type": structured({**CREATE, "type": "billing.account.update.v1"}),
    "actor": structured({**CREATE, "actor": "user:other"}),
    "no actor": structured({name: value for name, value in CREATE.items() if name != "actor"}),
    "expected version": structured({**CREATE, "expectedversion": 0}),
    "data": structured({**CREATE, "data": {**CREATE["data"], "displayName": "other"}}),
    "null in data": structured({**CREATE, "data": {**CREATE["data"], "contact": None}}),
    "normal form": structured({**CREATE, "data": {**CREATE["data"], "displayName": "Zu\u0308rich"}}),
    "other normal form": structured({**CREATE, "data": {**CREATE["data"], "displayName": "Z\u00fcrich"}}),
    "lone surrogate": structured({**CREATE, "data": {**CREATE["data"], "displayName": "\ud800"}}),
    "large integer": structured({**CREATE, "data": {**CREATE["data"], "displayName": 2**53}}),
    "larger integer": structured({**CREATE, "data": {**CREATE["data"], "displayName": 2**53 + 1}}),
    "bytes": structured({**BIND, "data_base64": "e30="}),
}


@pytest.mark.parametrize("what", SAME)
def test_order_time_trace_source_and_mode_do_not_count(what: str) -> None:
    assert request(SAME[what]).content_hash == request(structured(CREATE)).content_hash


def test_type_actor_version_and_data_count() -> None:
    hashes = [request(record).content_hash for record in OTHER.values()]

    assert len({request(structured(CREATE)).content_hash, *hashes}) == len(OTHER) + 1


def test_versions_are_the_same_in_both_modes() -> None:
    versioned = {**BIND, "expectedversion": 12}

    assert request(binary(versioned)).content_hash == request(structured(versioned)).content_hash
