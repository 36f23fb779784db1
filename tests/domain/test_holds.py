import pytest

from tests.domain.given import (
    APPROVAL,
    Lane,
    minute,
    open_account,
    reactivate,
    report_invalid,
    suspend,
)
from worker.domain.commands import AccountAction, DetachPaymentProfile, ReactivateAccount, SuspendAccount
from worker.domain.decision import Reason, Refusal
from worker.domain.events import HoldPlaced, HoldReleased
from worker.domain.values import PROFILE_HOLDS, Approval, Hold, HoldReason, InvalidCause, Phase, Rules

BLOCKING = {HoldReason.FRAUD_SUSPECTED, HoldReason.POLICY_VIOLATION, HoldReason.COMPLIANCE_HOLD}
SUSPENSIONS = sorted(set(HoldReason) - PROFILE_HOLDS)


def reasons_of(lane: Lane) -> list[HoldReason]:
    return [hold.reason for hold in lane.account().holds]


def test_a_suspension_places_a_hold() -> None:
    lane = Lane().given(open_account())

    placed = lane.accepted(suspend(HoldReason.NON_PAYMENT, hold="case-1"))[0]

    hold = Hold("case-1", HoldReason.NON_PAYMENT, "Please call us.", False, "ops", minute(2))
    assert placed == HoldPlaced("amber", hold)
    assert lane.account().holds == (hold,)


def test_a_hold_without_an_id_is_given_one_that_follows_from_the_command() -> None:
    first, second = Lane().given(open_account(), suspend()), Lane().given(open_account(), suspend())

    [hold] = first.account().holds
    assert hold.derived
    assert len(hold.id) == 36
    assert second.account().holds == (hold,)


@pytest.mark.parametrize("reason", SUSPENSIONS)
@pytest.mark.parametrize("asked", [None, True, False])
def test_a_hold_blocks_rebinds_for_grave_reasons_unless_told_otherwise(
    reason: HoldReason, *, asked: bool | None
) -> None:
    lane = Lane().given(open_account(), suspend(reason, blocks_rebind=asked))

    assert lane.account().holds[0].blocks_rebind is (reason in BLOCKING if asked is None else asked)


def test_a_second_hold_of_a_reason_is_not_placed_when_neither_has_an_id() -> None:
    lane = Lane().given(open_account(), suspend(HoldReason.NON_PAYMENT))

    assert lane.accepted(SuspendAccount("amber", HoldReason.NON_PAYMENT, "Another message.")) == []


def test_a_hold_without_an_id_stands_beside_one_with_an_id() -> None:
    lane = Lane().given(open_account(), suspend(HoldReason.NON_PAYMENT, hold="case-1"))

    [placed] = lane.accepted(suspend(HoldReason.NON_PAYMENT))

    assert isinstance(placed, HoldPlaced)
    assert reasons_of(lane) == [HoldReason.NON_PAYMENT, HoldReason.NON_PAYMENT]


def test_holds_with_ids_stand_beside_each_other_even_for_one_reason() -> None:
    lane = Lane().given(open_account(), suspend(hold="case-1"), suspend(hold="case-2"))

    assert [hold.id for hold in lane.account().holds] == ["case-1", "case-2"]


def test_a_further_hold_changes_no_phase() -> None:
    lane = Lane().given(open_account(), suspend(HoldReason.NON_PAYMENT))

    [placed] = lane.accepted(suspend(HoldReason.ADMINISTRATIVE))

    assert isinstance(placed, HoldPlaced)
    assert lane.account().phase is Phase.SUSPENDED
    assert lane.account().phase_since == minute(2)


def test_the_same_hold_again_changes_nothing() -> None:
    lane = Lane().given(open_account(), suspend(HoldReason.FRAUD_SUSPECTED, hold="case-1"))

    assert lane.accepted(suspend(HoldReason.FRAUD_SUSPECTED, hold="case-1", blocks_rebind=True)) == []


@pytest.mark.parametrize(
    "different",
    [
        SuspendAccount("amber", HoldReason.ADMINISTRATIVE, "Please call us.", "case-1"),
        SuspendAccount("amber", HoldReason.NON_PAYMENT, "Another message.", "case-1"),
        SuspendAccount("amber", HoldReason.NON_PAYMENT, "Please call us.", "case-1", blocks_rebind=True),
    ],
)
def test_the_id_of_an_active_hold_names_no_other(different: SuspendAccount) -> None:
    lane = Lane().given(open_account(), suspend(HoldReason.NON_PAYMENT, hold="case-1"))
    hold = lane.account().holds[0]

    assert lane.refused(different) == (Refusal(Reason.HOLD_ALREADY_EXISTS, {"hold": hold}),)


def test_a_hold_that_was_released_may_be_placed_anew() -> None:
    lane = Lane().given(open_account(), suspend(hold="case-1"), reactivate())

    lane.accepted(SuspendAccount("amber", HoldReason.ADMINISTRATIVE, "Another message.", "case-1"))

    assert reasons_of(lane) == [HoldReason.ADMINISTRATIVE]


def test_an_account_has_at_most_thirty_two_holds() -> None:
    lane = Lane().given(open_account(), *(suspend(hold=f"case-{n}") for n in range(32)))

    [refusal] = lane.refused(suspend(hold="case-32"))

    assert (refusal.reason, refusal.details) == (Reason.INVALID_DATA, {"path": ""})
    assert refusal.message == "An account has at most 32 holds, counting the suspensions that are scheduled."
    assert lane.accepted(suspend(hold="case-0")) == []


def test_a_profile_hold_for_which_there_is_no_room_waits_until_another_hold_is_released() -> None:
    lane = Lane().given(open_account(), *(suspend(hold=f"case-{n}") for n in range(32)), report_invalid("card-1"))
    assert len(lane.account().holds) == 32

    lane.accepted(reactivate())

    assert reasons_of(lane) == [HoldReason.PAYMENT_PROFILE_INVALID]
    assert lane.account().phase is Phase.SUSPENDED


@pytest.mark.parametrize(
    ("order", "left"),
    [
        (reactivate(), []),
        (reactivate(reason=HoldReason.NON_PAYMENT), ["case-3"]),
        (reactivate(hold="case-2"), ["case-1", "case-3"]),
    ],
)
def test_holds_are_released_by_reason_by_id_or_all_at_once(order: ReactivateAccount, left: list[str]) -> None:
    lane = Lane().given(open_account(), suspend(hold="case-1"), suspend(hold="case-2"))
    lane.given(suspend(HoldReason.ADMINISTRATIVE, hold="case-3"))

    events = lane.accepted(order)

    assert [hold.id for hold in lane.account().holds] == left
    released = [event for event in events if isinstance(event, HoldReleased)]
    assert [event.hold.id for event in released] == [id_ for id_ in ("case-1", "case-2", "case-3") if id_ not in left]
    assert {(event.released_by, event.approval, event.automatic) for event in released} == {("ops", APPROVAL, False)}


def test_an_account_with_a_hold_left_stays_suspended() -> None:
    lane = Lane().given(open_account(), suspend(hold="case-1"), suspend(hold="case-2"))

    [released] = lane.accepted(reactivate(hold="case-1"))

    assert isinstance(released, HoldReleased)
    assert lane.account().phase is Phase.SUSPENDED


@pytest.mark.parametrize("order", [reactivate(), reactivate(reason=HoldReason.NON_PAYMENT), reactivate(hold="case-1")])
def test_what_is_not_held_cannot_be_released(order: ReactivateAccount) -> None:
    lane = Lane().given(open_account())
    assert lane.reasons(order) == [Reason.HOLD_NOT_FOUND]

    lane.given(suspend(HoldReason.ADMINISTRATIVE, hold="case-2"))
    assert lane.reasons(reactivate(reason=HoldReason.NON_PAYMENT)) == [Reason.HOLD_NOT_FOUND]


@pytest.mark.parametrize(
    ("reason", "loss"),
    [
        (HoldReason.PAYMENT_PROFILE_INVALID, report_invalid("card-1")),
        (HoldReason.PAYMENT_PROFILE_EXPIRED, report_invalid("card-1", InvalidCause.EXPIRED)),
        (HoldReason.PAYMENT_PROFILE_MISSING, DetachPaymentProfile("amber")),
    ],
)
def test_profile_holds_cannot_be_released_by_anybody(reason: HoldReason, loss: AccountAction) -> None:
    lane = Lane().given(open_account(), loss)
    [hold] = lane.account().holds

    not_releasable = (Refusal(Reason.HOLD_NOT_RELEASABLE, {"holds": (hold,)}),)
    assert lane.refused(reactivate(reason=reason)) == not_releasable
    assert lane.refused(reactivate(hold=hold.id)) == not_releasable
    assert lane.reasons(reactivate()) == [Reason.HOLD_NOT_FOUND]


def test_releasing_all_skips_profile_holds() -> None:
    lane = Lane().given(open_account(), suspend(), report_invalid("card-1"))

    [released] = lane.accepted(reactivate())

    assert isinstance(released, HoldReleased)
    assert reasons_of(lane) == [HoldReason.PAYMENT_PROFILE_INVALID]


def test_a_release_needs_approval() -> None:
    lane = Lane().given(open_account(), suspend())

    assert lane.reasons(reactivate(approval=None)) == [Reason.APPROVAL_REQUIRED]


def test_approval_of_a_release_by_nobody_known_is_none() -> None:
    lane = Lane().given(open_account(), suspend())

    assert lane.reasons(reactivate(), actor=None) == [Reason.APPROVAL_REQUIRED]


def test_nobody_approves_their_own_release() -> None:
    lane = Lane().given(open_account(), suspend())

    assert lane.reasons(reactivate(approval=Approval("ops", "ticket-7"))) == [Reason.APPROVER_IS_ACTOR]


def test_a_missing_hold_and_a_missing_approval_are_told_at_once() -> None:
    lane = Lane().given(open_account(), report_invalid("card-1"))

    assert lane.reasons(reactivate(hold="case-1", approval=None)) == [Reason.HOLD_NOT_FOUND, Reason.APPROVAL_REQUIRED]
    assert lane.reasons(reactivate(reason=HoldReason.PAYMENT_PROFILE_INVALID, approval=None)) == [
        Reason.HOLD_NOT_RELEASABLE,
        Reason.APPROVAL_REQUIRED,
    ]


TRUSTING = Rules(approval_not_needed_for=frozenset({HoldReason.NON_PAYMENT}))


@pytest.mark.parametrize("actor", ["ops", None])
@pytest.mark.parametrize(
    "order",
    [
        reactivate(approval=None),
        reactivate(reason=HoldReason.NON_PAYMENT, approval=None),
        reactivate(hold="case-1", approval=None),
    ],
)
def test_a_reason_that_needs_no_approval_is_released_without(order: ReactivateAccount, actor: str | None) -> None:
    lane = Lane(TRUSTING).given(open_account(), suspend(HoldReason.NON_PAYMENT, hold="case-1"))

    released = lane.accepted(order, actor=actor)[0]

    assert isinstance(released, HoldReleased)
    assert (released.released_by, released.approval) == (actor, None)


def test_a_reason_that_needs_no_approval_needs_none_where_nothing_is_held_for_it() -> None:
    lane = Lane(TRUSTING).given(open_account(), suspend(HoldReason.ADMINISTRATIVE))

    assert lane.reasons(reactivate(reason=HoldReason.NON_PAYMENT, approval=None)) == [Reason.HOLD_NOT_FOUND]
    assert lane.reasons(reactivate(hold="case-1", approval=None)) == [Reason.HOLD_NOT_FOUND, Reason.APPROVAL_REQUIRED]


def test_all_holds_need_approval_when_one_of_them_does() -> None:
    lane = Lane(TRUSTING).given(open_account(), suspend(HoldReason.NON_PAYMENT), suspend(HoldReason.ADMINISTRATIVE))

    assert lane.reasons(reactivate(approval=None)) == [Reason.APPROVAL_REQUIRED]
    assert lane.reasons(reactivate(reason=HoldReason.ADMINISTRATIVE, approval=None)) == [Reason.APPROVAL_REQUIRED]


def test_nobody_approves_their_own_release_even_where_no_approval_is_needed() -> None:
    lane = Lane(TRUSTING).given(open_account(), suspend(HoldReason.NON_PAYMENT))

    assert lane.reasons(reactivate(approval=Approval("ops", "ticket-7"))) == [Reason.APPROVER_IS_ACTOR]


def test_a_refused_suspension_or_release_changes_nothing() -> None:
    lane = Lane().given(open_account(), suspend(hold="case-1"))
    before = lane.account()

    lane.refused(suspend(HoldReason.ADMINISTRATIVE, hold="case-1"))
    lane.refused(reactivate(approval=None))

    assert lane.account() == before
