"""Whatever the bytes, the reader gives a value."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.wire.given import BIND, CREATE, Record, binary, reading
from worker.wire.incoming import read
from worker.wire.request import Request, Tick, Unreadable

HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["content-type", "ce_specversion", "ce_id", "ce_type", "ce_organization", "ce_dryrun", "x"])
        | st.text(st.characters(exclude_categories=["Cs"])),
        st.none() | st.binary() | st.sampled_from([b"1.0", b"application/json", b"application/cloudevents+json"]),
    )
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["main", "EUR", "\ud800"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*CREATE["data"], "labels"]) | st.text(), inner),
    max_leaves=15,
)
ATTRIBUTES = st.sampled_from(
    [*BIND, "expectedversion", "dryrun", "traceparent", "tracestate", "correlationid", "datacontenttype", "data_base64"]
)


def check(record: Record) -> None:
    read_as = reading(record)

    assert isinstance(read_as, Unreadable | Tick | Request)
    if isinstance(read_as, Unreadable):
        assert len(read_as.detail.encode()) <= 1024
    if isinstance(read_as, Request):
        assert (read_as.action is not None) == (read_as.is_known and not read_as.data_refusals)
        if read_as.action is not None:
            assert read_as.as_command().action == read_as.action


@given(st.binary(), st.none() | st.binary(), HEADERS)
def test_random_bytes(value: bytes, key: bytes | None, headers: list[tuple[str, bytes | None]]) -> None:
    check(Record(value, key=key, headers=headers))


@given(JSON, HEADERS)
def test_random_json(value: object, headers: list[tuple[str, bytes | None]]) -> None:
    check(Record(json.dumps(value).encode(), headers=headers))


@given(st.sampled_from([BIND, CREATE]), st.dictionaries(ATTRIBUTES, JSON, max_size=3), HEADERS)
def test_good_commands_with_other_attributes(
    envelope: dict[str, Any], changes: dict[str, object], headers: list[tuple[str, bytes | None]]
) -> None:
    check(Record(json.dumps({**envelope, **changes}).encode(), headers=headers))


@given(
    JSON,
    st.sampled_from(
        ["billing.account.create.v1", "billing.account.update.v1", "billing.account.report-payment-profile.v1"]
    ),
)
def test_good_envelopes_with_other_data(data: object, kind: str) -> None:
    check(Record(json.dumps({**CREATE, "type": kind, "data": data}).encode()))


@given(st.sampled_from([BIND, CREATE]), st.integers(0, 400), st.binary(max_size=3), st.integers(0, 3))
def test_good_commands_with_other_bytes(envelope: dict[str, Any], at: int, put: bytes, taken: int) -> None:
    for record in (Record(json.dumps(envelope).encode()), binary(envelope)):
        value = record.value or b""
        check(Record(value[:at] + put + value[at + taken :], headers=record.headers))


@given(st.integers(1, 100), st.text(st.characters(codec="ascii", categories=["Ll"]), min_size=1, max_size=10))
def test_every_number_of_partitions(partitions: int, organization: str) -> None:
    record = Record(json.dumps({**BIND, "organization": organization}).encode(), key=organization.encode())

    assert isinstance(read(record, partitions=partitions), Request)
