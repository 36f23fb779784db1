from dataclasses import replace

import pytest

from tests.domain.given import (
    AMBER_PAYS,
    BIRCH_PAYS,
    INSTALLATION,
    STRICT,
    UNBIND,
    UNKNOWN_BINDING,
    Lane,
    amber_pays,
    minute,
    open_account,
    report_invalid,
    suspend,
    two_accounts,
)
from worker.domain.commands import KEEP, BindProject, CreateAccount, DeleteAccount, Keep
from worker.domain.decision import Reason, Refusal
from worker.domain.events import (
    BindingEstablished,
    BindingSuperseded,
    ProjectRegistered,
)
from worker.domain.values import HoldReason, Origin, Phase, Position


def test_the_first_binding_of_an_unknown_project_registers_it() -> None:
    lane = two_accounts()

    registered, established = lane.accepted(AMBER_PAYS)

    assert registered == ProjectRegistered("atlas")
    assert established == BindingEstablished(lane.payer().id, "atlas", "amber", minute(3), "EUR", account_sequence=3)
    assert (lane.payer().account, lane.payer().since, lane.payer().currency) == ("amber", minute(3), "EUR")


def test_a_known_project_is_not_registered_again() -> None:
    lane = amber_pays().given(UNBIND)

    [established] = lane.accepted(BIRCH_PAYS)

    assert isinstance(established, BindingEstablished)
    assert (established.supersedes, established.previous_account, established.previous_currency) == (None, None, None)


def test_a_rebind_ends_the_old_binding_at_the_instant_at_which_the_new_one_begins() -> None:
    lane = amber_pays()
    old = lane.payer()

    superseded, established = lane.accepted(BIRCH_PAYS)

    new = lane.payer()
    assert superseded == BindingSuperseded(
        binding=old.id,
        project="atlas",
        account="amber",
        since=minute(3),
        until=minute(4),
        superseded_by=new.id,
        superseded_by_account="birch",
        currency="EUR",
    )
    assert established == BindingEstablished(
        binding=new.id,
        project="atlas",
        account="birch",
        since=minute(4),
        currency="USD",
        account_sequence=3,
        supersedes=old.id,
        previous_account="amber",
        previous_currency="EUR",
    )
    assert old.id != new.id


def test_a_binding_is_named_after_the_place_of_its_event() -> None:
    """What comes before it: the registration, the end of another binding, nothing."""

    def named(sent: int, index: int) -> str:
        return Origin(INSTALLATION, "acme", f"command-{sent}", Position("billing.commands", 4, sent)).binding_id(index)

    lane = amber_pays()
    assert lane.payer().id == named(3, 1)
    lane.given(BIRCH_PAYS)
    assert lane.payer().id == named(4, 1)
    lane.given(UNBIND, AMBER_PAYS)
    assert lane.payer().id == named(6, 0)


def test_a_binding_keeps_the_version_of_the_account_that_it_was_established_with() -> None:
    lane = two_accounts().given(suspend(), suspend(HoldReason.ADMINISTRATIVE, account="birch"))
    lane.stands(replace(lane.account("birch"), phase=Phase.READY, holds=(), sequence=17))

    established = lane.accepted(BIRCH_PAYS)[-1]

    assert isinstance(established, BindingEstablished)
    assert established.account_sequence == 17


@pytest.mark.parametrize("again", [AMBER_PAYS, BindProject("atlas", "amber", supersede=False)])
def test_the_present_payer_needs_no_new_binding_whatever_lock_or_order(again: BindProject) -> None:
    lane = amber_pays()
    lane.stands(replace(lane.project(), locked=True))

    assert lane.accepted(again) == []


def test_the_present_payer_is_still_expected_to_be_what_the_sender_knows() -> None:
    lane = amber_pays()

    assert lane.accepted(replace(AMBER_PAYS, expected_binding=lane.payer().id)) == []
    assert lane.reasons(replace(AMBER_PAYS, expected_binding=UNKNOWN_BINDING)) == [Reason.BINDING_CHANGED]
    assert lane.reasons(AMBER_PAYS, expected_version=1) == [Reason.VERSION_CONFLICT]


def test_a_suspended_payer_is_not_bound_again() -> None:
    lane = amber_pays().given(suspend())

    assert lane.reasons(AMBER_PAYS) == [Reason.ACCOUNT_NOT_READY]


def test_lock_and_order_count_for_a_present_payer_that_is_not_ready() -> None:
    lane = amber_pays().given(suspend(HoldReason.FRAUD_SUSPECTED))
    lane.stands(replace(lane.project(), locked=True))

    assert lane.reasons(replace(AMBER_PAYS, supersede=False)) == [
        Reason.ACCOUNT_NOT_READY,
        Reason.PROJECT_ALREADY_BOUND,
        Reason.BINDING_LOCKED,
        Reason.REBIND_BLOCKED_BY_HOLD,
    ]


def test_only_a_ready_account_takes_a_new_binding() -> None:
    lane = Lane().given(CreateAccount("amber", "EUR"))
    assert lane.refused(AMBER_PAYS) == (Refusal(Reason.ACCOUNT_NOT_READY, {"phase": Phase.PROVISIONING, "holds": ()}),)

    lane.given(suspend())
    assert lane.refused(AMBER_PAYS) == (
        Refusal(Reason.ACCOUNT_NOT_READY, {"phase": Phase.SUSPENDED, "holds": lane.account().holds}),
    )


def test_nothing_is_bound_to_an_account_that_is_gone() -> None:
    lane = two_accounts().given(DeleteAccount("birch"))
    lane.stands(replace(lane.account("amber"), phase=Phase.ARCHIVED))

    assert lane.reasons(BindProject("atlas", "nobody"), expected_version=9) == [Reason.ACCOUNT_NOT_FOUND]
    assert lane.reasons(BIRCH_PAYS, expected_version=9) == [Reason.ACCOUNT_DELETED]
    assert lane.reasons(AMBER_PAYS, expected_version=9) == [Reason.ACCOUNT_ARCHIVED]


def test_an_account_of_another_organization_pays_for_nothing() -> None:
    lane = Lane()
    lane.send(open_account(), organization="globex")

    assert lane.reasons(AMBER_PAYS) == [Reason.ACCOUNT_NOT_FOUND]


def test_the_version_of_a_bind_is_that_of_the_account_that_is_to_pay() -> None:
    lane = amber_pays().given(suspend())

    assert lane.refused(BIRCH_PAYS, expected_version=5) == (
        Refusal(Reason.VERSION_CONFLICT, {"expected": 5, "actual": 3}),
    )
    lane.accepted(BIRCH_PAYS, expected_version=3)


def test_a_project_may_leave_a_suspended_account_for_a_ready_one() -> None:
    lane = amber_pays().given(suspend(HoldReason.NON_PAYMENT), BIRCH_PAYS)

    assert lane.payer().account == "birch"


def test_a_bind_that_wants_no_payer_replaced_is_refused_when_there_is_one() -> None:
    lane = amber_pays()

    assert lane.refused(replace(BIRCH_PAYS, supersede=False)) == (
        Refusal(Reason.PROJECT_ALREADY_BOUND, {"binding": lane.payer().id, "account": "amber"}),
    )


def test_a_bind_that_wants_no_payer_replaced_is_accepted_when_there_is_none() -> None:
    lane = amber_pays().given(UNBIND, replace(BIRCH_PAYS, supersede=False))

    assert lane.payer().account == "birch"


@pytest.mark.parametrize("expected", [None, KEEP])
def test_a_bind_may_expect_that_nobody_pays(expected: Keep | None) -> None:
    lane = two_accounts().given(replace(AMBER_PAYS, expected_binding=expected), UNBIND)

    lane.accepted(replace(AMBER_PAYS, expected_binding=expected))


def test_a_bind_that_expects_another_payer_is_refused() -> None:
    lane = amber_pays()
    binding = lane.payer().id

    for expected in (None, UNKNOWN_BINDING):
        assert lane.refused(replace(BIRCH_PAYS, expected_binding=expected)) == (
            Refusal(Reason.BINDING_CHANGED, {"binding": binding}),
        )
    lane.accepted(replace(BIRCH_PAYS, expected_binding=binding))


def test_a_bind_that_expects_a_payer_where_there_is_none_is_refused() -> None:
    lane = two_accounts()
    expecting = replace(AMBER_PAYS, expected_binding=UNKNOWN_BINDING)
    assert lane.refused(expecting) == (Refusal(Reason.BINDING_CHANGED, {"binding": None}),)

    lane.given(AMBER_PAYS, UNBIND)
    assert lane.refused(expecting) == (Refusal(Reason.BINDING_CHANGED, {"binding": None}),)


def test_everything_that_stands_against_a_bind_is_told_at_once() -> None:
    lane = amber_pays().given(suspend(HoldReason.FRAUD_SUSPECTED), report_invalid("card-1", account="birch"))
    lane.stands(replace(lane.project(), locked=True))
    order = replace(BIRCH_PAYS, supersede=False, expected_binding=None)

    assert lane.reasons(order, expected_version=1) == [
        Reason.VERSION_CONFLICT,
        Reason.ACCOUNT_NOT_READY,
        Reason.PROJECT_ALREADY_BOUND,
        Reason.BINDING_CHANGED,
        Reason.BINDING_LOCKED,
        Reason.REBIND_BLOCKED_BY_HOLD,
    ]


def test_what_stands_against_the_project_is_told_beside_an_account_that_is_not_found() -> None:
    lane = amber_pays()
    lane.stands(replace(lane.project(), locked=True))

    assert lane.reasons(BindProject("atlas", "nobody")) == [Reason.ACCOUNT_NOT_FOUND, Reason.BINDING_LOCKED]


def test_a_strict_registry_binds_only_what_it_knows() -> None:
    lane = amber_pays().set(STRICT)

    assert lane.reasons(BindProject("nowhere", "amber", expected_binding=UNKNOWN_BINDING)) == [Reason.PROJECT_NOT_FOUND]
    assert lane.reasons(BindProject("nowhere", "nobody")) == [Reason.ACCOUNT_NOT_FOUND, Reason.PROJECT_NOT_FOUND]
    lane.accepted(BIRCH_PAYS)
