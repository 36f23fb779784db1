from dataclasses import replace

import pytest

from tests.domain.given import (
    HASTY,
    Lane,
    archive,
    attach,
    invalid,
    minute,
    pending,
    report_invalid,
    report_valid,
    schedule,
    suspend,
    valid,
)
from worker.domain.commands import AccountAction, BindProject, CreateAccount, DeleteAccount
from worker.domain.decision import Reason
from worker.domain.events import HoldPlaced, PaymentProfileReported, PhaseChanged
from worker.domain.values import SYSTEM_ACTOR, HoldReason, InvalidCause, Phase

EXPIRED = invalid("card-1", InvalidCause.EXPIRED, minute(9))


def ends_at_nine() -> Lane:
    """`amber` is Ready; its profile is valid until minute 9."""
    return Lane(HASTY).given(CreateAccount("amber", "EUR", profile=valid("card-1", minute(9))))


def test_a_profile_expires_at_the_instant_until_which_it_is_valid() -> None:
    lane = ends_at_nine()
    assert lane.tick(7) == []

    reported, placed, changed = lane.tick()

    assert lane.now == minute(9)
    assert reported == PaymentProfileReported("amber", EXPIRED, EXPIRED, None)
    [hold] = lane.account().holds
    assert placed == HoldPlaced("amber", hold)
    assert (hold.reason, hold.placed_by, hold.blocks_rebind) == (
        HoldReason.PAYMENT_PROFILE_EXPIRED,
        SYSTEM_ACTOR,
        False,
    )
    assert isinstance(changed, PhaseChanged)
    assert (changed.entered, changed.reason) == (Phase.SUSPENDED, HoldReason.PAYMENT_PROFILE_EXPIRED)
    assert lane.account().serving == EXPIRED


def test_what_has_expired_expires_once() -> None:
    lane = ends_at_nine()
    lane.tick(20)

    assert lane.tick() == []


def test_a_command_finds_the_account_as_it_is_after_the_expiry() -> None:
    lane = ends_at_nine()
    lane.sent = 20

    assert lane.reasons(BindProject("atlas", "amber")) == [Reason.ACCOUNT_NOT_READY]
    assert [record.at for record in lane.due] == [minute(21)] * 3


def test_a_suspended_account_gets_the_hold_of_its_expired_profile_as_well() -> None:
    lane = ends_at_nine().given(suspend())

    assert [type(event) for event in lane.tick(20)] == [PaymentProfileReported, HoldPlaced]


def test_a_profile_that_expired_while_another_profile_hold_was_there_is_only_reported() -> None:
    lane = ends_at_nine().given(report_invalid("card-1"))
    assert lane.tick(20) == []


@pytest.mark.parametrize("profile", [None, pending("card-1", minute(9)), valid("card-1")])
def test_only_a_valid_profile_with_an_end_expires(profile: object) -> None:
    lane = Lane().given(replace(CreateAccount("amber", "EUR"), profile=profile))  # type: ignore[arg-type]

    assert lane.tick(20) == []


def test_a_waiting_profile_neither_expires_nor_takes_over() -> None:
    lane = ends_at_nine().given(attach(pending("card-2", minute(5))))

    lane.tick(20)

    assert (lane.account().serving, lane.account().pending) == (EXPIRED, pending("card-2", minute(5)))


def test_an_account_that_was_never_activated_gets_no_hold_for_an_expired_profile() -> None:
    lane = Lane().given(CreateAccount("amber", "EUR"), suspend(), attach(valid("card-1", minute(9))))

    assert [type(event) for event in lane.tick(20)] == [PaymentProfileReported]
    assert len(lane.account().holds) == 1


def test_an_expired_profile_holds_nothing_where_none_is_needed() -> None:
    lane = ends_at_nine().set(replace(HASTY, payment_profile_required=False))

    assert [type(event) for event in lane.tick(20)] == [PaymentProfileReported]
    assert lane.account().phase is Phase.READY


@pytest.mark.parametrize("renewed", [report_valid("card-1", minute(90)), attach(valid("card-2"))])
def test_a_valid_profile_ends_what_the_expiry_began(renewed: AccountAction) -> None:
    lane = ends_at_nine()
    lane.tick(20)

    lane.given(renewed)

    assert (lane.account().phase, lane.account().holds) == (Phase.READY, ())


def test_expiry_comes_before_the_suspensions_that_are_due_with_it() -> None:
    lane = ends_at_nine().given(schedule(due_at=minute(7)))

    events = lane.tick(20)

    assert [type(event) for event in events] == [PaymentProfileReported, HoldPlaced, HoldPlaced, PhaseChanged]
    assert [hold.reason for hold in lane.account().holds] == [
        HoldReason.PAYMENT_PROFILE_EXPIRED,
        HoldReason.NON_PAYMENT,
    ]
    assert len({hold.id for hold in lane.account().holds}) == 2
    assert isinstance(events[-1], PhaseChanged)
    assert events[-1].reason is HoldReason.PAYMENT_PROFILE_EXPIRED


@pytest.mark.parametrize("end", [DeleteAccount("amber"), archive()])
def test_nothing_expires_on_an_account_whose_life_is_over(end: AccountAction) -> None:
    lane = ends_at_nine().given(end)

    assert lane.tick(20) == []
