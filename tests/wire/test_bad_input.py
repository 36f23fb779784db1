"""Bad input at the level of the reader: each row is a dead letter, a refusal with its path, or of no consequence."""

import time
from collections.abc import Iterator

import pytest

from tests.wire.bad_input import (
    ENVELOPES,
    GOOD,
    HARMLESS,
    IGNORED,
    REFUSED,
    TIMES,
    UNKNOWN,
    UNREADABLE,
)
from tests.wire.given import (
    BIND,
    PARTITIONS,
    Record,
    reading,
    reasons,
    refused,
    request,
    structured,
)
from tests.wire.promises import check
from worker.domain.decision import Reason
from worker.wire.partitions import partition_of
from worker.wire.request import Unreadable

SECONDS_MAX = 2.0
HOME = partition_of("acme", PARTITIONS)


@pytest.fixture(autouse=True)
def _the_next_good_command_is_read() -> Iterator[None]:
    yield
    assert request(Record(GOOD)).action is not None


@pytest.mark.parametrize("row", UNREADABLE)
def test_what_nobody_can_be_answered_for_is_a_dead_letter_in_bounded_time(row: str) -> None:
    record, why = UNREADABLE[row]
    began = time.thread_time()

    read_as = reading(record)

    assert time.thread_time() - began < SECONDS_MAX
    assert isinstance(read_as, Unreadable)
    assert read_as.reason == why
    assert len(read_as.detail.encode()) <= 1024
    assert check(record) == read_as


@pytest.mark.parametrize("row", ENVELOPES)
def test_a_dead_letter_names_the_attribute_that_is_wrong(row: str) -> None:
    read_as = reading(UNREADABLE[row][0])

    assert isinstance(read_as, Unreadable)
    assert next(iter(ENVELOPES[row])) in read_as.detail


@pytest.mark.parametrize("row", REFUSED)
def test_bad_data_is_refused_where_it_stands_in_bounded_time(row: str) -> None:
    record, expected = REFUSED[row]
    began = time.thread_time()

    found = refused(record)

    assert time.thread_time() - began < SECONDS_MAX
    assert found == expected
    assert request(record).action is None
    assert request(record).key_refusals == ()
    assert check(record) == request(record)


@pytest.mark.parametrize("row", UNKNOWN)
def test_an_unknown_type_or_major_version_is_an_unknown_command(row: str) -> None:
    kind = UNKNOWN[row]
    unknown = request(structured({**BIND, "type": kind}))

    assert not unknown.is_known
    assert (unknown.data_refusals, unknown.action) == ((), None)
    assert unknown.type == "".join(letter if letter.isprintable() else "?" for letter in kind[:128])
    assert check(structured({**BIND, "type": kind})) == unknown


@pytest.mark.parametrize("row", HARMLESS)
def test_what_is_only_odd_is_judged_by_its_content_in_bounded_time(row: str) -> None:
    began = time.thread_time()

    read_as = request(HARMLESS[row])

    assert time.thread_time() - began < SECONDS_MAX
    assert read_as.action is not None
    assert read_as.key_refusals == ()
    assert check(HARMLESS[row]) == read_as


@pytest.mark.parametrize("row", HARMLESS)
def test_a_bad_trace_is_ignored_and_told(row: str) -> None:
    read_as = request(HARMLESS[row])

    assert read_as.ignored == ((IGNORED[row],) if row in IGNORED else ())
    if row in IGNORED:
        assert (read_as.traceparent, read_as.tracestate, read_as.correlation_id) == (None, None, "command-1")


@pytest.mark.parametrize("row", TIMES)
@pytest.mark.parametrize(
    ("kind", "data", "field"),
    [
        ("schedule-suspension", {"account": "a", "reason": "NON_PAYMENT", "message": "So."}, "dueAt"),
        ("report-payment-profile", {"account": "a", "externalId": "x", "status": "Valid"}, "validUntil"),
    ],
    ids=["dueAt", "validUntil"],
)
def test_only_instants_with_an_offset_are_taken(row: str, kind: str, data: dict[str, object], field: str) -> None:
    record = structured({**BIND, "type": f"billing.account.{kind}.v1", "data": data | {field: TIMES[row]}})

    assert refused(record) == [(Reason.INVALID_DATA, f"/{field}")]


@pytest.mark.parametrize(
    "key",
    [None, b"", b"Acme", b"other", b"acme\0", b"\xff"],
    ids=["no key", "an empty key", "in upper case", "another organization", "with a NUL", "not UTF-8"],
)
def test_a_key_that_is_not_the_organization_is_a_mismatch(key: bytes | None) -> None:
    mismatched = request(Record(GOOD, key=key))

    assert reasons(mismatched.key_refusals) == [Reason.KEY_MISMATCH]


def test_a_wrong_partition_is_refused_with_the_right_one() -> None:
    elsewhere = request(Record(GOOD, partition=(HOME + 1) % PARTITIONS))

    assert reasons(elsewhere.key_refusals) == [Reason.WRONG_PARTITION]
    assert elsewhere.key_refusals[0].details == {"expected": HOME}


def test_the_key_stage_tells_everything_that_it_finds() -> None:
    lost = request(Record(GOOD, key=b"other", partition=(HOME + 1) % PARTITIONS))

    assert reasons(lost.key_refusals) == [Reason.KEY_MISMATCH, Reason.WRONG_PARTITION]


@pytest.mark.parametrize("kind", ["unbind", "lock", "unlock", "register", "delete"], ids=lambda kind: f"project.{kind}")
def test_an_expected_version_goes_with_accounts_only(kind: str) -> None:
    read_as = request(structured({**BIND, "type": f"billing.project.{kind}.v1", "expectedversion": 1}))

    assert (Reason.INVALID_DATA, "/expectedversion") in [
        (refusal.reason, refusal.details["path"]) for refusal in read_as.data_refusals
    ]


def test_names_are_normalised_and_addresses_kept_in_unicode() -> None:
    named = request(HARMLESS["a name in NFD"]).action
    script, punycode = (
        request(HARMLESS[f"an email in {form}"]).action.contact.email  # type: ignore[union-attr]
        for form in ("another script", "Punycode")
    )

    assert getattr(named, "display_name", None) == "Zürich"
    assert (script, punycode) == ("pelé@bücher.com", "anna@bücher.com")
