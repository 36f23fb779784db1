"""The trace of a record is found without parsing it, and nothing that people wrote is taken for it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.given import ACCOUNT, PROJECT, TRACEPARENT, WRITER, cause, written
from worker.wire.traceparent import from_headers, is_sampled, traceparent_of

OTHER = f"00-{'1' * 32}-{'2' * 16}-01"
PIECES = ['"', "\\", ",", "{", "}", ":", "traceparent", "data", f'"traceparent":"{OTHER}"', ',"data":', "\n", "ü"]
FORGED = st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join)


@given(actor=FORGED, correlation_id=FORGED, label=FORGED, traced=st.booleans())
def test_whatever_people_write_the_trace_is_the_one_of_the_envelope(
    *, actor: str, correlation_id: str, label: str, traced: bool
) -> None:
    trace = TRACEPARENT if traced else None
    because = replace(cause(actor=actor), correlation_id=correlation_id, traceparent=trace)
    account = replace(ACCOUNT, display_name=label, labels={"traceparent": OTHER, label: label})
    record = WRITER.account_state(because, account, 3)

    assert traceparent_of(record.value) == written(record).get("traceparent") == trace


def test_a_tombstone_and_bytes_that_are_no_envelope_have_no_trace() -> None:
    assert traceparent_of(WRITER.payer_tombstone(cause(), "acme", "website").value) is None
    assert traceparent_of(f'"traceparent":"{TRACEPARENT}"'.encode()) is None
    assert traceparent_of(WRITER.payer_state(cause(), PROJECT, 0).value) == TRACEPARENT


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], (None, None)),
        ([("traceparent", TRACEPARENT.encode())], (TRACEPARENT, None)),
        ([("tracestate", b"a=1"), ("traceparent", TRACEPARENT.encode())], (TRACEPARENT, "a=1")),
        ([("tracestate", b"a=1")], (None, None)),
        ([("traceparent", None)], (None, None)),
        ([("traceparent", b"\xff")], (None, None)),
        ([("traceparent", f"00-{'0' * 32}-{'2' * 16}-01".encode())], (None, None)),
        ([("traceparent", TRACEPARENT.encode()), ("tracestate", b"a=" + b"1" * 600)], (TRACEPARENT, None)),
        ([("ce_traceparent", TRACEPARENT.encode())], (None, None)),
    ],
)
def test_what_a_client_put_beside_a_record_counts_where_it_is_a_trace(
    headers: list[tuple[str, bytes | None]], expected: tuple[str | None, str | None]
) -> None:
    assert from_headers(headers) == expected


@pytest.mark.parametrize(("flags", "is_so"), [("00", False), ("01", True), ("02", False), ("03", True), ("ff", True)])
def test_the_last_bit_says_whether_a_trace_is_recorded(flags: str, *, is_so: bool) -> None:
    assert is_sampled(f"{TRACEPARENT[:-2]}{flags}") is is_so
