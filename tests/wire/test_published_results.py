"""Results that were published tell which ids they used up; and every record tells where it belongs."""

from dataclasses import replace

import pytest

from tests.wire.given import (
    ACCOUNT,
    AT,
    ESTABLISHED,
    INSTALLATION,
    PROJECT,
    WRITER,
    Record,
    cause,
    event,
)
from worker.domain.decision import Reason, Refusal
from worker.wire.outgoing import Outgoing
from worker.wire.published import (
    NotPublishedError,
    Place,
    PublishedResult,
    at_of,
    place_of,
    place_of_letter,
    read_event,
    read_result,
)
from worker.wire.request import Unreadable, Why
from worker.wire.results import WrittenResult

ACCEPTED = WRITER.accepted(cause(), [event(ESTABLISHED, 4)], 3, 5)
USES_NONE = (Reason.KEY_MISMATCH, Reason.WRONG_PARTITION, Reason.COMMAND_ID_REUSED)


def rejected(*reasons: Reason) -> WrittenResult:
    return WRITER.rejected(cause(), [Refusal(reason) for reason in reasons], 0)


def result_of(record: Outgoing) -> PublishedResult:
    return read_result(record.value)


def test_a_result_is_read_with_what_the_inbox_keeps_of_it_byte_for_byte() -> None:
    place = Place("billing.commands", 3, 42, 5)

    assert result_of(ACCEPTED.record) == PublishedResult(
        "acme", "command-1", "accepted", frozenset(), is_duplicate=False, at=AT, data=ACCEPTED.data, place=place
    )


def test_what_was_said_in_a_refusal_is_kept_byte_for_byte() -> None:
    odd = Refusal(Reason.INVALID_DATA, {"path": "/displayName", "most": 2**53 - 1}, 'Näher: \N{SNOWMAN} " \\ \u2028')
    wrote = WRITER.rejected(cause(), [odd], 0)

    assert result_of(wrote.record).data == wrote.data


@pytest.mark.parametrize("reason", list(Reason))
def test_a_refusal_uses_the_id_up_unless_the_contract_says_otherwise(reason: Reason) -> None:
    read = result_of(rejected(reason).record)

    assert (read.outcome, read.codes) == ("rejected", frozenset({reason.value}))
    assert read.uses_id is (reason not in USES_NONE)


def test_one_reason_of_several_keeps_the_id_free() -> None:
    assert result_of(rejected(Reason.INVALID_DATA, Reason.WRONG_PARTITION).record).uses_id is False


@pytest.mark.parametrize("first", [ACCEPTED, rejected(Reason.ACCOUNT_NOT_FOUND)])
def test_an_answer_that_is_given_again_uses_no_id_up(first: WrittenResult) -> None:
    assert result_of(first.record).uses_id
    again = result_of(WRITER.repeated(cause(), first.data, 0).record)

    assert (again.is_duplicate, again.uses_id) == (True, False)


@pytest.mark.parametrize("refusals", [(), (Refusal(Reason.ACCOUNT_NOT_FOUND),)])
def test_a_dry_run_uses_no_id_up(refusals: tuple[Refusal, ...]) -> None:
    read = result_of(WRITER.evaluated(cause(), (), refusals, 0).record)

    assert (read.outcome, read.uses_id) == ("evaluated", False)


@pytest.mark.parametrize(
    ("record", "index"),
    [
        (event(ESTABLISHED, 4).record, 4),
        (ACCEPTED.record, 5),
        (WRITER.account_state(cause(), ACCOUNT, 6), 6),
        (WRITER.payer_state(cause(), PROJECT, 7), 7),
    ],
    ids=["event", "result", "account", "payer"],
)
def test_every_record_tells_its_place_and_instant_without_being_read_whole(record: Outgoing, index: int) -> None:
    assert record.value is not None
    assert place_of(record.value) == Place("billing.commands", 3, 42, index)
    assert at_of(record.value) == AT


def test_the_place_is_found_behind_the_longest_attributes_there_can_be() -> None:
    origin = replace(cause().origin, organization="o" * 63, command="c" * 128)
    longest = replace(cause(), origin=origin, correlation_id="x" * 256, actor="ü" * 200)

    assert place_of(WRITER.rejected(longest, (), 7).record.value) == Place("billing.commands", 3, 42, 7)


@pytest.mark.parametrize("value", [None, b"", b"{}", b"\xff", b'{"commandposition":"1/2/3"}'])
def test_what_has_no_place_says_so(value: bytes | None) -> None:
    assert place_of(value) is None


@pytest.mark.parametrize(("why", "index"), [(Why.NOT_JSON, 0), (Why.INTERNAL_ERROR, 1)])
def test_a_dead_letter_lies_where_the_worker_says_and_not_where_its_sender_does(why: Why, index: int) -> None:
    theirs = (("billing-offset", b"7"), ("billing-partition", b"9"), ("billing-reason", b"INTERNAL_ERROR"))
    letter = WRITER.dead_letter(Record(b"\xff", headers=theirs, partition=3), Unreadable(why, "So."), AT, 1_000_000)

    assert place_of_letter(letter.headers) == Place("billing.commands", 3, 42, index)


@pytest.mark.parametrize(
    "headers", [(), (("billing-topic", b"c"), ("billing-partition", b"x"), ("billing-offset", b"1"))]
)
def test_a_letter_that_no_worker_wrote_lies_nowhere(headers: tuple[tuple[str, bytes], ...]) -> None:
    assert place_of_letter(headers) is None


@pytest.mark.parametrize("value", [None, b"", b"[]", b"{", b"{}", b'{"type":"billing.account.created.v1"}', b"\xff"])
def test_what_no_worker_wrote_is_neither_event_nor_result(value: bytes | None) -> None:
    with pytest.raises(NotPublishedError):
        read_event(value, INSTALLATION)
    with pytest.raises(NotPublishedError):
        read_result(value)
