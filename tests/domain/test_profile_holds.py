import pytest

from tests.domain.given import (
    INSTALLATION,
    NO_PROFILE_NEEDED,
    Lane,
    attach,
    minute,
    open_account,
    pending,
    reactivate,
    report_invalid,
    report_valid,
    suspend,
    valid,
)
from worker.domain.commands import AccountAction, CreateAccount, DetachPaymentProfile, UpdateAccount
from worker.domain.events import HoldPlaced, HoldReleased, PaymentProfileAttached, PhaseChanged
from worker.domain.values import HoldReason, InvalidCause, Origin, Phase, Position, Rules

INVALID, EXPIRED, MISSING = (
    HoldReason.PAYMENT_PROFILE_INVALID,
    HoldReason.PAYMENT_PROFILE_EXPIRED,
    HoldReason.PAYMENT_PROFILE_MISSING,
)
LOSSES = [
    (report_invalid("card-1"), INVALID),
    (report_invalid("card-1", InvalidCause.DECLINED), INVALID),
    (report_invalid("card-1", InvalidCause.REMOVED), INVALID),
    (report_invalid("card-1", InvalidCause.REVOKED), INVALID),
    (report_invalid("card-1", InvalidCause.EXPIRED), EXPIRED),
    (DetachPaymentProfile("amber"), MISSING),
]


def reasons_of(lane: Lane) -> list[HoldReason]:
    return [hold.reason for hold in lane.account().holds]


@pytest.mark.parametrize(("loss", "reason"), LOSSES)
def test_an_activated_account_that_loses_its_profile_is_suspended(loss: AccountAction, reason: HoldReason) -> None:
    lane = Lane().given(open_account())

    _, placed, suspended = lane.accepted(loss)

    assert isinstance(placed, HoldPlaced)
    assert (placed.hold.reason, placed.hold.blocks_rebind) == (reason, False)
    assert (placed.hold.placed_by, placed.hold.placed_at) == ("system:billing-worker", minute(2))
    origin = Origin(INSTALLATION, "acme", "command-2", Position("billing.commands", 4, 2))
    assert (placed.hold.id, placed.hold.derived) == (origin.hold_id(1), True)
    assert isinstance(suspended, PhaseChanged)
    assert (suspended.entered, suspended.reason, suspended.holds) == (Phase.SUSPENDED, reason, (placed.hold,))


@pytest.mark.parametrize(("loss", "reason"), LOSSES)
def test_a_profile_lost_while_suspended_places_its_hold_too(loss: AccountAction, reason: HoldReason) -> None:
    lane = Lane().given(open_account(), suspend())

    assert not any(isinstance(event, PhaseChanged) for event in lane.accepted(loss))
    assert reasons_of(lane) == [HoldReason.NON_PAYMENT, reason]


def test_there_is_one_profile_hold_at_a_time() -> None:
    lane = Lane().given(open_account(), report_invalid("card-1"))

    lane.given(report_invalid("card-1", InvalidCause.EXPIRED), DetachPaymentProfile("amber"))

    assert reasons_of(lane) == [INVALID]


@pytest.mark.parametrize("cure", [attach(valid("card-2")), report_valid("card-1")])
def test_a_valid_profile_releases_the_profile_hold_by_itself(cure: AccountAction) -> None:
    lane = Lane().given(open_account(), report_invalid("card-1"))
    [hold] = lane.account().holds

    _, released, ready = lane.accepted(cure)

    assert released == HoldReleased("amber", hold, "system:billing-worker", automatic=True)
    assert isinstance(ready, PhaseChanged)
    assert (ready.entered, ready.reason, ready.approval) == (Phase.READY, "REACTIVATED", None)


def test_a_waiting_profile_that_takes_over_releases_the_hold_of_the_one_before() -> None:
    lane = Lane().given(open_account(), attach(pending("card-2")), report_invalid("card-1"), report_valid("card-2"))

    assert (lane.account().phase, lane.account().holds) == (Phase.READY, ())


def test_a_pending_profile_releases_no_hold() -> None:
    lane = Lane().given(open_account(), report_invalid("card-1"), attach(pending("card-2")))

    assert (lane.account().phase, reasons_of(lane)) == (Phase.SUSPENDED, [INVALID])


def test_a_valid_profile_releases_no_other_hold() -> None:
    lane = Lane().given(open_account(), suspend(), report_invalid("card-1"), report_valid("card-1"))

    assert (lane.account().phase, reasons_of(lane)) == (Phase.SUSPENDED, [HoldReason.NON_PAYMENT])


def test_a_waiting_profile_that_turns_invalid_places_no_hold() -> None:
    lane = Lane().given(open_account(), attach(pending("card-2")), report_invalid("card-2"))

    assert (lane.account().phase, lane.account().holds) == (Phase.READY, ())


def test_another_valid_profile_in_place_of_a_valid_one_places_no_hold() -> None:
    lane = Lane().given(open_account(), attach(valid("card-2")))

    assert (lane.account().phase, lane.account().holds) == (Phase.READY, ())


def test_an_account_that_was_never_activated_gets_no_profile_hold() -> None:
    lane = Lane().given(
        CreateAccount("amber", "EUR", profile=pending("card-1")),
        report_invalid("card-1"),
        DetachPaymentProfile("amber"),
    )

    assert (lane.account().phase, lane.account().holds) == (Phase.PROVISIONING, ())


@pytest.mark.parametrize(("loss", "_reason"), LOSSES)
def test_no_profile_hold_is_placed_where_no_profile_is_needed(loss: AccountAction, _reason: HoldReason) -> None:
    lane = Lane(NO_PROFILE_NEEDED).given(open_account(), loss)

    assert (lane.account().phase, lane.account().holds) == (Phase.READY, ())


def test_a_profile_hold_goes_at_the_next_command_once_no_profile_is_needed() -> None:
    lane = Lane().given(open_account(), report_invalid("card-1")).set(NO_PROFILE_NEEDED)

    released, ready = lane.accepted(UpdateAccount("amber"))

    assert isinstance(released, HoldReleased)
    assert released.automatic
    assert isinstance(ready, PhaseChanged)
    assert (ready.entered, ready.reason) == (Phase.READY, "REACTIVATED")


def test_a_profile_that_was_lost_while_none_was_needed_places_no_hold_afterwards() -> None:
    lane = Lane(NO_PROFILE_NEEDED).given(open_account(), report_invalid("card-1")).set(Rules())

    assert lane.accepted(UpdateAccount("amber")) == []


def test_a_pending_profile_on_an_account_that_needed_none_places_no_hold() -> None:
    lane = Lane(NO_PROFILE_NEEDED).given(CreateAccount("amber", "EUR")).set(Rules()).given(attach(pending("card-1")))

    assert (lane.account().phase, lane.account().holds) == (Phase.READY, ())


def test_a_pending_profile_that_turns_invalid_places_its_hold_once_the_account_is_activated() -> None:
    lane = Lane(NO_PROFILE_NEEDED).given(CreateAccount("amber", "EUR", profile=pending("card-1"))).set(Rules())

    lane.given(report_invalid("card-1"))

    assert (lane.account().phase, reasons_of(lane)) == (Phase.SUSPENDED, [INVALID])


def test_a_pending_profile_after_a_valid_one_was_detached_keeps_the_account_suspended() -> None:
    lane = Lane().given(open_account(), DetachPaymentProfile("amber"))

    [attached] = lane.accepted(attach(pending("card-2")))

    assert isinstance(attached, PaymentProfileAttached)
    assert reasons_of(lane) == [MISSING]


def test_a_released_suspension_leaves_the_profile_hold_in_force() -> None:
    lane = Lane().given(open_account(), suspend(), report_invalid("card-1"), reactivate())

    assert (lane.account().phase, reasons_of(lane)) == (Phase.SUSPENDED, [INVALID])


def test_the_hold_of_a_lost_profile_has_an_id_that_follows_from_the_command() -> None:
    first, second = (Lane().given(open_account(), report_invalid("card-1")) for _ in range(2))

    assert first.account().holds == second.account().holds
    assert first.account().holds[0].id != Lane().given(open_account(), suspend()).account().holds[0].id
