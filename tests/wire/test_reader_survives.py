"""Whatever the bytes, the reader gives a value, and keeps every promise of promises.py."""

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.fuzz.form import file_of, record_of
from tests.fuzz.mutations import mutated
from tests.fuzz.seeds import seeds
from tests.wire.given import BIND, CREATE, Record, binary
from tests.wire.promises import check, check_json
from worker.wire.incoming import read
from worker.wire.request import Request

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
WORDS = '\\u \\ud83d \\ude00 d800 "a" "b": NaN Infinity null true 1e999 -0 99999999999999999999'
PIECES = st.sampled_from([*'{}[]:,"\\ \t\n\r\x0c\x00\x7f-+.eE0123\u2028\xa0\ufeff\U00010000\u0663', *WORDS.split()])
SEEDS = st.sampled_from(list(seeds()))
unhurried = settings(deadline=None)  # the promise of bounded time counts computing, not waiting for a processor


@unhurried
@given(st.binary(), st.none() | st.binary(), HEADERS)
def test_random_bytes(value: bytes, key: bytes | None, headers: list[tuple[str, bytes | None]]) -> None:
    check(Record(value, key=key, headers=headers))


@unhurried
@given(JSON, HEADERS)
def test_random_json(value: object, headers: list[tuple[str, bytes | None]]) -> None:
    check(Record(json.dumps(value).encode(), headers=headers))


@unhurried
@given(st.lists(PIECES, max_size=12).map("".join))
@example('{"a": 1.0, "b": -0, "c": [1e999, "\\ud800"]}')
@example("\u0661")
def test_what_is_almost_json_is_json_to_all_parsers_or_to_none(text: str) -> None:
    check_json(text.encode())


@unhurried
@given(st.sampled_from([BIND, CREATE]), st.dictionaries(ATTRIBUTES, JSON, max_size=3), HEADERS)
def test_good_commands_with_other_attributes(
    envelope: dict[str, Any], changes: dict[str, object], headers: list[tuple[str, bytes | None]]
) -> None:
    check(Record(json.dumps({**envelope, **changes}).encode(), headers=headers))


@unhurried
@given(
    JSON,
    st.sampled_from(
        ["billing.account.create.v1", "billing.account.update.v1", "billing.account.report-payment-profile.v1"]
    ),
)
def test_good_envelopes_with_other_data(data: object, kind: str) -> None:
    check(Record(json.dumps({**CREATE, "type": kind, "data": data}).encode()))


@unhurried
@given(st.sampled_from([BIND, CREATE]), st.integers(0, 400), st.binary(max_size=3), st.integers(0, 3))
def test_good_commands_with_other_bytes(envelope: dict[str, Any], at: int, put: bytes, taken: int) -> None:
    for record in (Record(json.dumps(envelope).encode()), binary(envelope)):
        value = record.value or b""
        check(Record(value[:at] + put + value[at + taken :], headers=record.headers))


@unhurried
@given(SEEDS, st.lists(st.integers(0, 2**32), min_size=1, max_size=3), st.text(max_size=5))
def test_good_commands_of_every_type_with_other_members_headers_and_modes(
    file: bytes, numbers: list[int], put: str
) -> None:
    for number in numbers:
        file = mutated(file, number, lambda text: text[: len(text) // 2] + put + text[len(text) // 2 :])
        check(record_of(file))


@unhurried
@given(SEEDS)
def test_a_file_of_the_fuzzer_is_a_record_and_back(file: bytes) -> None:
    record = record_of(file)

    assert record_of(file_of(record)) == record


@unhurried
@given(st.integers(1, 100), st.text(st.characters(codec="ascii", categories=["Ll"]), min_size=1, max_size=10))
def test_every_number_of_partitions(partitions: int, organization: str) -> None:
    record = Record(json.dumps({**BIND, "organization": organization}).encode(), key=organization.encode())

    assert isinstance(read(record, partitions=partitions), Request)
