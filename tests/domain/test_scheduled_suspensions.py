from datetime import timedelta

import pytest

from tests.domain.given import HASTY, MINUTE, Lane, minute, open_account, reactivate, report_invalid, schedule, suspend
from worker.domain.accounts import evolve
from worker.domain.commands import CancelSuspension, CreateAccount, DeleteAccount
from worker.domain.decision import Reason, Refusal
from worker.domain.events import HoldPlaced, PhaseChanged, SuspensionCancelled, SuspensionScheduled
from worker.domain.values import HOLDS_MAX, PROFILE_HOLDS, Hold, HoldReason, Instant, Phase, Rules, ScheduledSuspension

FRAUD, UNPAID, LIMIT = HoldReason.FRAUD_SUSPECTED, HoldReason.NON_PAYMENT, HoldReason.SPENDING_LIMIT_REACHED
BLOCKING = {HoldReason.FRAUD_SUSPECTED, HoldReason.POLICY_VIOLATION, HoldReason.COMPLIANCE_HOLD}


def hasty() -> Lane:
    """`amber` is Ready; three minutes are notice enough."""
    return Lane(HASTY).given(open_account())


def test_a_suspension_is_announced_with_all_that_it_will_be() -> None:
    lane = hasty()

    announced = ScheduledSuspension(UNPAID, minute(9), "Please pay.", "ops", minute(2))
    assert lane.accepted(schedule(due_at=minute(9))) == [SuspensionScheduled("amber", announced)]
    assert (lane.account().scheduled, lane.account().phase) == ((announced,), Phase.READY)


def test_a_notice_may_last_to_the_microsecond_as_long_as_the_setting_says() -> None:
    lane = hasty()
    just_short = minute(5) - timedelta(microseconds=1)

    assert lane.refused(schedule(due_at=just_short)) == (Refusal(Reason.NOTICE_TOO_SHORT, {"earliest": minute(5)}),)
    lane.accepted(schedule(due_at=minute(6)))


def test_a_day_is_the_notice_unless_set_otherwise() -> None:
    lane = Lane().given(open_account())

    [refusal] = lane.refused(schedule(due_at=minute(2 + 24 * 60 - 1)))

    assert refusal.details == {"earliest": minute(2) + timedelta(days=1)}


def test_what_has_passed_is_no_notice_at_all() -> None:
    assert hasty().reasons(schedule(due_at=minute(0))) == [Reason.NOTICE_TOO_SHORT]


def test_another_suspension_for_the_same_reason_replaces_the_first() -> None:
    lane = hasty().given(schedule(due_at=minute(9)), schedule(due_at=minute(30), message="Last call."))

    [entry] = lane.account().scheduled
    assert (entry.due_at, entry.message, entry.scheduled_at) == (minute(30), "Last call.", minute(3))


@pytest.mark.parametrize("message", ["Please pay.", "Last call."])
def test_the_same_suspension_again_has_no_effect_even_after_its_notice_has_begun(message: str) -> None:
    lane = hasty().given(schedule(due_at=minute(9)))
    lane.tick(5)

    if message == "Please pay.":
        assert lane.accepted(schedule(due_at=minute(9), message=message)) == []
    else:
        assert lane.reasons(schedule(due_at=minute(9), message=message)) == [Reason.NOTICE_TOO_SHORT]


def test_suspensions_for_several_reasons_stand_in_the_order_in_which_they_begin() -> None:
    lane = hasty().given(schedule(UNPAID, due_at=minute(30)), schedule(LIMIT, due_at=minute(20)))
    lane.given(schedule(FRAUD, due_at=minute(20)))

    assert [entry.reason for entry in lane.account().scheduled] == [FRAUD, LIMIT, UNPAID]


def test_a_suspension_is_taken_back() -> None:
    lane = hasty().given(schedule(UNPAID, due_at=minute(9)), schedule(FRAUD, due_at=minute(9)))

    assert lane.accepted(CancelSuspension("amber", UNPAID)) == [SuspensionCancelled("amber", UNPAID)]
    assert [entry.reason for entry in lane.account().scheduled] == [FRAUD]


def test_what_is_not_scheduled_cannot_be_taken_back() -> None:
    lane = hasty().given(schedule(UNPAID, due_at=minute(9)))

    assert lane.reasons(CancelSuspension("amber", FRAUD)) == [Reason.SUSPENSION_NOT_SCHEDULED]
    lane.given(CancelSuspension("amber", UNPAID))
    assert lane.reasons(CancelSuspension("amber", UNPAID)) == [Reason.SUSPENSION_NOT_SCHEDULED]


def test_a_suspension_that_has_begun_is_not_scheduled_any_more() -> None:
    lane = hasty().given(schedule(due_at=minute(9)))
    lane.tick(20)

    assert lane.reasons(CancelSuspension("amber", UNPAID)) == [Reason.SUSPENSION_NOT_SCHEDULED]


@pytest.mark.parametrize("reason", sorted(set(HoldReason) - PROFILE_HOLDS))
def test_a_suspension_begins_when_it_is_due(reason: HoldReason) -> None:
    lane = hasty().given(schedule(reason, due_at=minute(9)))

    assert lane.tick(6) == []
    placed, changed = lane.tick()

    [hold] = lane.account().holds
    assert placed == HoldPlaced("amber", hold)
    assert hold == Hold(hold.id, reason, "Please pay.", reason in BLOCKING, "ops", minute(9), derived=True)
    assert isinstance(changed, PhaseChanged)
    assert (changed.left, changed.entered, changed.reason) == (Phase.READY, Phase.SUSPENDED, reason)
    assert (changed.holds, changed.since, changed.at) == ((hold,), minute(1), minute(9))
    assert lane.account().scheduled == ()


def test_a_suspension_that_nobody_known_announced_is_placed_by_nobody_known() -> None:
    lane = hasty()
    lane.accepted(schedule(due_at=minute(9)), actor=None)
    lane.tick(20)

    assert lane.account().holds[0].placed_by is None


def test_a_late_suspension_begins_at_the_instant_at_which_it_is_done() -> None:
    lane = hasty().given(schedule(due_at=minute(9)))

    lane.tick(100)

    assert lane.account().holds[0].placed_at == lane.account().phase_since == lane.now == minute(102)


def test_several_suspensions_that_are_due_change_the_phase_once() -> None:
    lane = hasty().given(schedule(UNPAID, due_at=minute(9)), schedule(LIMIT, due_at=minute(8)))
    lane.given(schedule(FRAUD, due_at=minute(9)), schedule(HoldReason.ADMINISTRATIVE, due_at=minute(99)))

    *placed, changed = lane.tick(20)

    assert [event.hold.reason for event in placed if isinstance(event, HoldPlaced)] == [LIMIT, FRAUD, UNPAID]
    assert isinstance(changed, PhaseChanged)
    assert (changed.reason, len({hold.id for hold in changed.holds})) == (LIMIT, 3)
    assert [entry.reason for entry in lane.account().scheduled] == [HoldReason.ADMINISTRATIVE]


def test_a_suspension_of_a_suspended_account_is_one_more_hold() -> None:
    lane = hasty().given(schedule(UNPAID, due_at=minute(9)), suspend(FRAUD))

    [placed] = lane.tick(20)

    assert isinstance(placed, HoldPlaced)
    assert [hold.reason for hold in lane.account().holds] == [FRAUD, UNPAID]


def test_a_suspension_whose_hold_is_there_already_when_it_is_due_is_cancelled() -> None:
    lane = hasty().given(schedule(UNPAID, due_at=minute(9)), suspend(UNPAID))

    assert lane.tick(20) == [SuspensionCancelled("amber", UNPAID)]
    assert (len(lane.account().holds), lane.account().scheduled) == (1, ())


def test_a_hold_with_an_id_does_not_stand_for_the_suspension_that_was_announced() -> None:
    lane = hasty().given(schedule(UNPAID, due_at=minute(9)), suspend(UNPAID, "case-1"))

    assert [type(event) for event in lane.tick(20)] == [HoldPlaced]
    assert len(lane.account().holds) == 2


def test_a_hold_that_came_early_leaves_the_schedule_in_force() -> None:
    lane = hasty().given(schedule(UNPAID, due_at=minute(19)), suspend(UNPAID), reactivate())
    assert len(lane.account().scheduled) == 1

    lane.tick(20)

    assert lane.account().phase is Phase.SUSPENDED


@pytest.mark.parametrize(
    ("placed_at", "left"), [(minute(8), [LIMIT, UNPAID]), (minute(9), [LIMIT]), (minute(10), [LIMIT])]
)
def test_a_hold_ends_the_schedule_of_its_reason_that_is_due(placed_at: Instant, left: list[HoldReason]) -> None:
    lane = hasty().given(schedule(LIMIT, due_at=minute(8)), schedule(UNPAID, due_at=minute(9)))
    placed = HoldPlaced("amber", Hold("case-1", UNPAID, "Please pay.", False, "ops", placed_at))

    after = evolve(lane.account(), placed, "acme", placed_at)

    assert [entry.reason for entry in after.scheduled] == left


def test_cancelled_suspensions_come_before_the_holds_of_the_others() -> None:
    lane = hasty().given(schedule(LIMIT, due_at=minute(9)), schedule(UNPAID, due_at=minute(12)), suspend(UNPAID))

    assert [type(event) for event in lane.tick(30)] == [SuspensionCancelled, HoldPlaced]


def test_an_account_that_was_never_activated_is_suspended_on_schedule() -> None:
    lane = Lane(HASTY).given(CreateAccount("amber", "EUR"), schedule(due_at=minute(9)))
    lane.tick(20)
    assert lane.account().phase is Phase.SUSPENDED

    lane.given(reactivate())

    assert lane.account().phase is Phase.PROVISIONING


def test_a_command_finds_the_suspension_that_was_due_before_it() -> None:
    lane = hasty().given(schedule(due_at=minute(9)))
    lane.sent = 20

    lane.given(reactivate())

    assert [type(record.event) for record in lane.due] == [HoldPlaced, PhaseChanged]
    assert (lane.account().phase, lane.account().holds) == (Phase.READY, ())


def test_nothing_begins_on_a_deleted_account() -> None:
    lane = hasty().given(schedule(due_at=minute(9)), DeleteAccount("amber"))

    assert (lane.account().scheduled, lane.tick(20)) == ((), [])


def test_a_suspension_to_come_takes_the_place_of_a_hold() -> None:
    lane = hasty().given(*(suspend(hold=f"case-{n}") for n in range(HOLDS_MAX - 1)), schedule(due_at=minute(90)))

    for one_too_many in (suspend(FRAUD), suspend(hold="case-99"), schedule(FRAUD, due_at=minute(90))):
        [refusal] = lane.refused(one_too_many)
        assert (refusal.reason, refusal.details) == (Reason.INVALID_DATA, {"path": ""})
    lane.accepted(schedule(due_at=minute(91)))
    lane.given(report_invalid("card-1"))
    lane.tick(90)
    assert len(lane.account().holds) == HOLDS_MAX
    lane.given(reactivate())
    assert [hold.reason for hold in lane.account().holds] == [HoldReason.PAYMENT_PROFILE_INVALID]


def test_a_profile_hold_finds_its_place_when_a_suspension_is_taken_back() -> None:
    lane = hasty().given(*(suspend(hold=f"case-{n}") for n in range(HOLDS_MAX - 1)), schedule(due_at=minute(90)))
    lane.given(report_invalid("card-1"))

    lane.given(CancelSuspension("amber", UNPAID))

    assert lane.account().holds[-1].reason is HoldReason.PAYMENT_PROFILE_INVALID


def test_other_settings_change_no_account_that_time_alone_touches() -> None:
    lane = hasty().given(report_invalid("card-1"), schedule(due_at=minute(9)))
    lane.set(Rules(payment_profile_required=False, suspension_notice=MINUTE))

    [placed] = lane.tick(20)

    assert isinstance(placed, HoldPlaced)
    assert [hold.reason for hold in lane.account().holds] == [HoldReason.PAYMENT_PROFILE_INVALID, UNPAID]
