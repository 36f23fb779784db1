from dataclasses import replace
from datetime import timedelta

import pytest

from tests.domain.given import (
    APPROVAL,
    BIRCH_PAYS,
    HASTY,
    MINUTE,
    UNBIND,
    Lane,
    amber_pays,
    archive,
    minute,
    open_account,
    schedule,
    suspend,
    two_accounts,
)
from worker.domain.commands import BindProject, CreateAccount, DeleteAccount
from worker.domain.decision import Reason, Refusal
from worker.domain.events import AccountDeleted, PhaseChanged, SuspensionCancelled
from worker.domain.values import Approval, HoldReason, Phase, Rules, Settlement


def once_paid() -> Lane:
    """`amber` paid for `atlas` until minute 4."""
    return amber_pays().given(UNBIND)


def test_a_settled_account_is_archived_with_the_proof() -> None:
    lane = once_paid()

    [closed] = lane.accepted(archive(minute(4)))

    assert closed == PhaseChanged(
        account="amber",
        left=Phase.READY,
        entered=Phase.ARCHIVED,
        since=minute(1),
        at=minute(5),
        reason="CLOSED",
        holds=(),
        active_bindings=0,
        activated_at=minute(1),
        currency="EUR",
        settlement=Settlement("invoice-9", minute(4)),
        approval=APPROVAL,
    )
    assert (lane.account().phase, lane.account().phase_since) == (Phase.ARCHIVED, minute(5))


@pytest.mark.parametrize(
    "settled_through",
    [None, minute(4) - timedelta(microseconds=1), minute(5) + timedelta(microseconds=1)],
)
def test_an_account_that_paid_is_settled_from_its_last_binding_up_to_now_at_most(settled_through: None) -> None:
    lane = once_paid()

    assert lane.refused(archive(settled_through)) == (Refusal(Reason.SETTLEMENT_REQUIRED, {"needed": minute(4)}),)


@pytest.mark.parametrize("settled_through", [minute(4), minute(5)])
def test_a_settlement_may_reach_exactly_the_end_of_the_last_binding_or_now(settled_through: None) -> None:
    once_paid().accepted(archive(settled_through))


def test_the_last_binding_counts_whichever_project_and_however_it_ended() -> None:
    lane = amber_pays().given(BindProject("borealis", "amber"), UNBIND, BindProject("borealis", "birch"))

    assert lane.refused(archive(minute(5))) == (Refusal(Reason.SETTLEMENT_REQUIRED, {"needed": minute(6)}),)


@pytest.mark.parametrize("settled_through", [None, minute(0), minute(3)])
def test_an_account_that_never_paid_needs_no_settlement_but_may_have_one(settled_through: None) -> None:
    two_accounts().accepted(archive(settled_through))


def test_nobody_settles_ahead_of_time_even_where_nothing_was_paid() -> None:
    lane = two_accounts()

    assert lane.refused(archive(minute(99))) == (Refusal(Reason.SETTLEMENT_REQUIRED, {"needed": None}),)


def test_an_account_that_pays_is_not_archived() -> None:
    lane = amber_pays()

    sample = {"count": 1, "sample": ["atlas"]}
    assert lane.refused(archive()) == (Refusal(Reason.ACTIVE_BINDINGS, sample),)


def test_archiving_always_takes_somebody_elses_approval() -> None:
    lane = two_accounts().set(Rules(approval_not_needed_for=frozenset(HoldReason)))

    assert lane.reasons(archive(approval=None)) == [Reason.APPROVAL_REQUIRED]
    assert lane.reasons(archive(), actor=None) == [Reason.APPROVAL_REQUIRED]
    assert lane.reasons(archive(approval=Approval("ops", "ticket-8"))) == [Reason.APPROVER_IS_ACTOR]


def test_everything_that_stands_against_archiving_is_told_at_once() -> None:
    lane = amber_pays().given(BIRCH_PAYS, BindProject("borealis", "amber"))

    assert lane.reasons(archive(approval=None), expected_version=99) == [
        Reason.VERSION_CONFLICT,
        Reason.APPROVAL_REQUIRED,
        Reason.ACTIVE_BINDINGS,
        Reason.SETTLEMENT_REQUIRED,
    ]


def test_archiving_ends_what_was_scheduled() -> None:
    lane = Lane(HASTY).given(open_account(), schedule(HoldReason.NON_PAYMENT, due_at=minute(50)))
    lane.given(schedule(HoldReason.ADMINISTRATIVE, due_at=minute(40)))

    *cancelled, closed = lane.accepted(archive())

    assert cancelled == [
        SuspensionCancelled("amber", HoldReason.ADMINISTRATIVE),
        SuspensionCancelled("amber", HoldReason.NON_PAYMENT),
    ]
    assert isinstance(closed, PhaseChanged)
    assert (lane.account().scheduled, lane.tick(90)) == ((), [])


@pytest.mark.parametrize("create", [CreateAccount("amber", "EUR"), open_account()])
def test_an_account_is_archived_from_any_phase(create: CreateAccount) -> None:
    lane = Lane().given(create, suspend(HoldReason.FRAUD_SUSPECTED))

    [closed] = lane.accepted(archive())

    assert isinstance(closed, PhaseChanged)
    assert (closed.left, closed.holds) == (Phase.SUSPENDED, lane.account().holds)
    assert len(closed.holds) == 1


def test_an_archived_account_can_only_be_deleted() -> None:
    lane = once_paid().given(archive(minute(5)))

    assert lane.reasons(archive(minute(5))) == [Reason.ACCOUNT_ARCHIVED]
    assert lane.reasons(BindProject("atlas", "amber")) == [Reason.ACCOUNT_ARCHIVED]
    assert lane.accepted(DeleteAccount("amber")) == [AccountDeleted("amber", Phase.ARCHIVED, minute(4))]


def test_other_settings_lift_no_hold_from_an_account_that_is_archived() -> None:
    lane = Lane().given(open_account(), suspend())

    lane.set(replace(HASTY, payment_profile_required=False)).given(archive())

    assert lane.account().phase is Phase.ARCHIVED
    assert lane.now == minute(0) + 3 * MINUTE
