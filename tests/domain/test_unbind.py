from dataclasses import replace

from tests.domain.given import (
    BIRCH_PAYS,
    STRICT,
    UNBIND,
    UNKNOWN_BINDING,
    amber_pays,
    minute,
    report_invalid,
    suspend,
)
from worker.domain.commands import UnbindProject
from worker.domain.decision import Reason, Refusal
from worker.domain.events import (
    BindingReleased,
    PayerMissing,
)
from worker.domain.values import BindingEnd, HoldReason, Interval, Unpaid


def test_a_lock_keeps_the_payer() -> None:
    lane = amber_pays()
    lane.stands(replace(lane.project(), locked=True))

    assert lane.reasons(BIRCH_PAYS) == [Reason.BINDING_LOCKED]
    assert lane.reasons(UNBIND) == [Reason.BINDING_LOCKED]


def test_a_blocking_hold_keeps_the_payer() -> None:
    lane = amber_pays().given(suspend(HoldReason.FRAUD_SUSPECTED), suspend(HoldReason.NON_PAYMENT))
    blocking = Refusal(Reason.REBIND_BLOCKED_BY_HOLD, {"account": "amber", "holds": (lane.account().holds[0],)})

    assert lane.refused(BIRCH_PAYS) == (blocking,)
    assert lane.refused(UNBIND) == (blocking,)


def test_a_blocking_hold_on_a_past_payer_keeps_nobody() -> None:
    lane = amber_pays().given(BIRCH_PAYS, suspend(HoldReason.FRAUD_SUSPECTED))

    lane.accepted(UNBIND)


def test_a_deleted_project_is_neither_bound_nor_unbound() -> None:
    lane = amber_pays().given(UNBIND)
    lane.stands(replace(lane.project(), deleted_at=lane.now))

    assert lane.reasons(replace(BIRCH_PAYS, expected_binding=UNKNOWN_BINDING)) == [Reason.PROJECT_DELETED]
    assert lane.reasons(replace(UNBIND, expected_binding=UNKNOWN_BINDING)) == [Reason.PROJECT_DELETED]


def test_an_unbind_leaves_the_project_without_a_payer() -> None:
    lane = amber_pays()
    old = lane.payer()

    assert lane.accepted(UNBIND) == [
        BindingReleased(old.id, "atlas", "amber", minute(3), minute(4), BindingEnd.UNBOUND, "EUR"),
        PayerMissing("atlas", minute(4), Unpaid.UNBOUND),
    ]
    assert lane.project().open is None
    assert lane.project().closed == (Interval(old.id, "amber", "EUR", minute(3), minute(4), BindingEnd.UNBOUND),)


def test_what_is_not_bound_cannot_be_unbound() -> None:
    lane = amber_pays().given(UNBIND)

    assert lane.reasons(UNBIND) == [Reason.PROJECT_NOT_BOUND]
    assert lane.reasons(UnbindProject("nowhere", expected_binding=UNKNOWN_BINDING)) == [Reason.PROJECT_NOT_BOUND]


def test_a_strict_registry_unbinds_only_what_it_knows() -> None:
    lane = amber_pays().set(STRICT)

    assert lane.reasons(UnbindProject("nowhere")) == [Reason.PROJECT_NOT_FOUND]
    lane.accepted(UNBIND)
    assert lane.reasons(UNBIND) == [Reason.PROJECT_NOT_BOUND]


def test_an_unbind_may_expect_who_pays() -> None:
    lane = amber_pays()

    for expected in (None, UNKNOWN_BINDING):
        assert lane.reasons(replace(UNBIND, expected_binding=expected)) == [Reason.BINDING_CHANGED]
    lane.accepted(replace(UNBIND, expected_binding=lane.payer().id))


def test_everything_that_stands_against_an_unbind_is_told_at_once() -> None:
    lane = amber_pays().given(suspend(HoldReason.COMPLIANCE_HOLD))
    lane.stands(replace(lane.project(), locked=True))

    assert lane.reasons(replace(UNBIND, expected_binding=None)) == [
        Reason.BINDING_CHANGED,
        Reason.BINDING_LOCKED,
        Reason.REBIND_BLOCKED_BY_HOLD,
    ]


def test_an_unbind_is_not_written_against_the_version_of_an_account() -> None:
    lane = amber_pays()

    [refusal] = lane.refused(UNBIND, expected_version=3)

    assert (refusal.reason, refusal.details) == (Reason.INVALID_DATA, {"path": "/expectedversion"})


def test_bindings_of_a_suspended_account_stay() -> None:
    lane = amber_pays()
    before = lane.payer()

    lane.given(suspend(), report_invalid("card-1"))

    assert lane.payer() == before
