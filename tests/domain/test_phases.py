from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import pytest

from tests.domain.given import (
    APPROVAL,
    NO_PROFILE_NEEDED,
    Lane,
    attach,
    invalid,
    minute,
    open_account,
    pending,
    reactivate,
    report_invalid,
    report_valid,
    suspend,
    valid,
)
from worker.domain.commands import AccountAction, BindProject, ChangeCurrency, CreateAccount, UpdateAccount
from worker.domain.events import AccountCreated, Event, HoldPlaced, PaymentProfileReported, PhaseChanged
from worker.domain.phases import phase_of
from worker.domain.values import HoldReason, PaymentProfile, Phase, Rules

UNPAID = CreateAccount("amber", "EUR")
PENDING = CreateAccount("amber", "EUR", profile=pending("card-1"))
NOTHING_NEW = UpdateAccount("amber")


def changes(events: Sequence[Event]) -> list[tuple[Phase | None, Phase, str]]:
    return [(event.left, event.entered, event.reason) for event in events if isinstance(event, PhaseChanged)]


@pytest.mark.parametrize("order", [UNPAID, PENDING])
def test_a_new_account_without_a_valid_profile_is_provisioning(order: CreateAccount) -> None:
    lane = Lane()

    assert changes(lane.accepted(order)) == [(None, Phase.PROVISIONING, "CREATED")]
    assert lane.account().phase is Phase.PROVISIONING
    assert lane.account().activated_at is None


def test_a_new_account_with_a_valid_profile_is_ready_at_once() -> None:
    lane = Lane()

    created, provisioning, ready = lane.accepted(open_account())

    assert isinstance(created, AccountCreated)
    assert provisioning == PhaseChanged(
        account="amber",
        left=None,
        entered=Phase.PROVISIONING,
        since=None,
        at=minute(1),
        reason="CREATED",
        holds=(),
        active_bindings=0,
        activated_at=None,
        currency="EUR",
    )
    assert ready == PhaseChanged(
        account="amber",
        left=Phase.PROVISIONING,
        entered=Phase.READY,
        since=minute(1),
        at=minute(1),
        reason="ACTIVATED",
        holds=(),
        active_bindings=0,
        activated_at=minute(1),
        currency="EUR",
    )
    assert (lane.account().phase, lane.account().activated_at) == (Phase.READY, minute(1))


def test_a_new_account_is_ready_at_once_where_no_profile_is_needed() -> None:
    lane = Lane(NO_PROFILE_NEEDED)

    assert changes(lane.accepted(UNPAID)) == [
        (None, Phase.PROVISIONING, "CREATED"),
        (Phase.PROVISIONING, Phase.READY, "ACTIVATED"),
    ]


@pytest.mark.parametrize("activation", [attach(valid("card-2")), report_valid("card-1")])
def test_the_first_valid_profile_activates_an_account(activation: AccountAction) -> None:
    lane = Lane().given(PENDING)

    activated = lane.accepted(activation)[-1]

    assert changes([activated]) == [(Phase.PROVISIONING, Phase.READY, "ACTIVATED")]
    assert isinstance(activated, PhaseChanged)
    assert (activated.since, activated.at, activated.activated_at) == (minute(1), minute(2), minute(2))
    assert lane.account().activated_at == minute(2)


@pytest.mark.parametrize("word", [report_invalid("card-1"), attach(pending("card-2")), ChangeCurrency("amber", "USD")])
def test_an_account_that_was_never_activated_stays_provisioning_without_a_valid_profile(word: AccountAction) -> None:
    lane = Lane().given(PENDING)

    assert changes(lane.accepted(word)) == []
    assert (lane.account().phase, lane.account().holds) == (Phase.PROVISIONING, ())


@pytest.mark.parametrize("creation", [UNPAID, open_account()])
def test_a_hold_suspends_an_account(creation: CreateAccount) -> None:
    lane = Lane().given(creation)
    before = lane.account()

    placed, suspended = lane.accepted(suspend(HoldReason.COMPLIANCE_HOLD))

    assert isinstance(placed, HoldPlaced)
    assert suspended == PhaseChanged(
        account="amber",
        left=before.phase,
        entered=Phase.SUSPENDED,
        since=minute(1),
        at=minute(2),
        reason="COMPLIANCE_HOLD",
        holds=(placed.hold,),
        active_bindings=0,
        activated_at=before.activated_at,
        currency="EUR",
    )
    assert (lane.account().phase, lane.account().phase_since) == (Phase.SUSPENDED, minute(2))


def test_a_suspension_tells_for_how_many_projects_the_account_pays() -> None:
    lane = Lane().given(open_account(), BindProject("atlas", "amber"), BindProject("borealis", "amber"))

    suspended = lane.accepted(suspend())[-1]

    assert isinstance(suspended, PhaseChanged)
    assert suspended.active_bindings == 2


def test_an_activated_account_without_holds_is_ready_again() -> None:
    lane = Lane().given(open_account(), suspend())

    assert lane.accepted(reactivate())[-1] == PhaseChanged(
        account="amber",
        left=Phase.SUSPENDED,
        entered=Phase.READY,
        since=minute(2),
        at=minute(3),
        reason="REACTIVATED",
        holds=(),
        active_bindings=0,
        activated_at=minute(1),
        currency="EUR",
        approval=APPROVAL,
    )


def test_an_account_that_was_never_activated_goes_back_to_provisioning_after_its_suspension() -> None:
    lane = Lane().given(UNPAID, suspend())

    assert changes(lane.accepted(reactivate())) == [(Phase.SUSPENDED, Phase.PROVISIONING, "REACTIVATED")]


def test_a_valid_profile_does_not_activate_an_account_while_it_is_suspended() -> None:
    lane = Lane().given(UNPAID, suspend())

    assert changes(lane.accepted(attach(valid("card-1")))) == []
    assert (lane.account().phase, lane.account().activated_at) == (Phase.SUSPENDED, None)


def test_the_end_of_a_suspension_activates_an_account_that_has_become_fit_meanwhile() -> None:
    lane = Lane().given(UNPAID, suspend(), attach(valid("card-1")))

    assert changes(lane.accepted(reactivate())) == [(Phase.SUSPENDED, Phase.READY, "ACTIVATED")]
    assert lane.account().activated_at == minute(4)


def test_a_profile_lost_during_a_suspension_before_activation_places_no_hold() -> None:
    lane = Lane().given(UNPAID, suspend(), attach(valid("card-1")), report_invalid("card-1"))

    assert [hold.reason for hold in lane.account().holds] == [HoldReason.NON_PAYMENT]


def test_facts_come_first_then_holds_then_the_phase() -> None:
    lane = Lane().given(open_account())

    kinds = [type(event) for event in lane.accepted(report_invalid("card-1"))]

    assert kinds == [PaymentProfileReported, HoldPlaced, PhaseChanged]


_NONE, _PENDING, _VALID, _INVALID = None, pending("card-1"), valid("card-1"), invalid("card-1")


@pytest.mark.parametrize(
    ("serving", "activated", "needed"), list(product([_NONE, _PENDING, _VALID, _INVALID], [True, False], [True, False]))
)
def test_the_phase_follows_from_archive_holds_activation_and_profile_in_this_order(
    serving: PaymentProfile | None, *, activated: bool, needed: bool
) -> None:
    rules = Rules(payment_profile_required=needed)
    held = Lane().given(UNPAID, suspend()).account()
    account = replace(held, serving=serving, activated_at=minute(0) if activated else None)
    fit = activated or not needed or serving == _VALID

    assert phase_of(replace(account, phase=Phase.ARCHIVED), rules) is Phase.ARCHIVED
    assert phase_of(account, rules) is Phase.SUSPENDED
    assert phase_of(replace(account, holds=()), rules) is (Phase.READY if fit else Phase.PROVISIONING)


def test_a_changed_setting_changes_an_account_at_its_next_command() -> None:
    lane = Lane().given(UNPAID).set(NO_PROFILE_NEEDED)
    assert lane.account().phase is Phase.PROVISIONING

    assert changes(lane.accepted(NOTHING_NEW)) == [(Phase.PROVISIONING, Phase.READY, "ACTIVATED")]


def test_a_refused_command_does_not_bring_a_changed_setting_to_bear() -> None:
    lane = Lane().given(UNPAID).set(NO_PROFILE_NEEDED)

    lane.refused(NOTHING_NEW, expected_version=9)

    assert lane.account().phase is Phase.PROVISIONING


def test_an_account_that_needed_no_profile_stays_ready_when_one_is_needed_again() -> None:
    lane = Lane(NO_PROFILE_NEEDED).given(UNPAID).set(Rules())

    assert lane.accepted(NOTHING_NEW) == []
    assert lane.account().phase is Phase.READY


def test_the_currency_changes_together_with_the_activation_that_fixes_it() -> None:
    lane = Lane().given(UNPAID).set(NO_PROFILE_NEEDED)

    activated = lane.accepted(ChangeCurrency("amber", "USD"))[-1]

    assert isinstance(activated, PhaseChanged)
    assert (activated.entered, activated.currency) == (Phase.READY, "USD")
