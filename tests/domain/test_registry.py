"""Projects as others tell of them, and keeping their payer."""

import pytest

from tests.domain.given import (
    AMBER_PAYS,
    BIRCH_PAYS,
    STRICT,
    UNBIND,
    Lane,
    amber_pays,
    minute,
    open_account,
    suspend,
)
from worker.domain.commands import (
    BindProject,
    DeleteProject,
    LockProject,
    MoveProjects,
    ProjectAction,
    ProjectChange,
    RegisterProject,
    UnlockProject,
)
from worker.domain.decision import Reason
from worker.domain.events import (
    BindingEstablished,
    BindingLocked,
    BindingReleased,
    BindingUnlocked,
    PayerMissing,
    ProjectDeleted,
    ProjectRegistered,
)
from worker.domain.values import BindingEnd, HoldReason, Interval, Rules, Unpaid

LOCK, UNLOCK = LockProject("atlas", "Under audit."), UnlockProject("atlas", "Audit done.")
REGISTER, DELETE = RegisterProject("atlas"), DeleteProject("atlas")
ONLY = pytest.mark.parametrize("rules", [Rules(), STRICT])


@ONLY
def test_a_project_is_registered_without_a_payer(rules: Rules) -> None:
    lane = Lane(rules)

    missing = PayerMissing("atlas", minute(1), Unpaid.REGISTERED)
    assert lane.accepted(REGISTER) == [ProjectRegistered("atlas"), missing]
    assert (lane.project().sequence, lane.project().open, lane.project().registered_at) == (2, None, minute(1))


def test_a_known_project_is_not_registered_again() -> None:
    assert Lane().given(REGISTER).accepted(REGISTER) == []
    assert amber_pays().accepted(REGISTER) == []


def test_a_strict_registry_binds_what_was_registered() -> None:
    lane = Lane(STRICT).given(open_account())
    assert lane.reasons(AMBER_PAYS) == [Reason.PROJECT_NOT_FOUND]

    assert [type(event) for event in lane.given(REGISTER).accepted(AMBER_PAYS)] == [BindingEstablished]


def test_a_lock_keeps_the_payer_until_it_is_unlocked() -> None:
    lane = amber_pays()
    binding = lane.payer().id

    assert lane.accepted(LOCK) == [BindingLocked(binding, "atlas", "amber", "Under audit.")]
    assert lane.project().locked
    for change in (BIRCH_PAYS, UNBIND):
        assert lane.reasons(change) == [Reason.BINDING_LOCKED]
    assert lane.reasons(MoveProjects("amber", "birch")) == [Reason.MOVE_ITEMS_INELIGIBLE]
    assert lane.accepted(UNLOCK) == [BindingUnlocked(binding, "atlas", "amber", "Audit done.")]
    assert not lane.project().locked
    lane.accepted(BIRCH_PAYS)


def test_a_lock_of_what_is_locked_and_an_unlock_of_what_is_not_have_no_effect() -> None:
    lane = amber_pays()

    assert lane.accepted(UNLOCK) == []
    assert lane.given(LOCK).accepted(LockProject("atlas", "Another note.")) == []


def test_a_lock_does_not_keep_the_payer_from_being_suspended_nor_a_bind_of_the_same() -> None:
    lane = amber_pays().given(LOCK)

    assert lane.accepted(AMBER_PAYS) == []
    lane.accepted(suspend(HoldReason.FRAUD_SUSPECTED))
    lane.accepted(UNLOCK)


@pytest.mark.parametrize("change", [LOCK, UNLOCK])
def test_only_what_is_bound_can_be_locked_or_unlocked(change: ProjectAction) -> None:
    assert Lane().reasons(change) == [Reason.PROJECT_NOT_BOUND]
    assert Lane(STRICT).reasons(change) == [Reason.PROJECT_NOT_FOUND]
    assert Lane(STRICT).given(REGISTER).reasons(change) == [Reason.PROJECT_NOT_BOUND]
    assert amber_pays().given(UNBIND).reasons(change) == [Reason.PROJECT_NOT_BOUND]


def test_a_lock_ends_with_the_project() -> None:
    lane = amber_pays().given(LOCK, DELETE)

    assert not lane.project().locked


def test_a_deletion_ends_the_binding_whatever_locks_or_holds() -> None:
    lane = amber_pays().given(LOCK, suspend(HoldReason.FRAUD_SUSPECTED))
    binding = lane.payer().id

    assert lane.accepted(DELETE) == [
        BindingReleased(binding, "atlas", "amber", minute(3), minute(6), BindingEnd.PROJECT_DELETED, "EUR"),
        ProjectDeleted("atlas"),
    ]
    project = lane.project()
    assert (project.open, project.deleted_at) == (None, minute(6))
    assert project.closed == (Interval(binding, "amber", "EUR", minute(3), minute(6), BindingEnd.PROJECT_DELETED),)
    assert lane.book.usage_of(("acme", "amber")).active_bindings == 0


def test_the_deletion_of_an_unbound_project_is_all_that_happens() -> None:
    assert Lane().given(REGISTER).accepted(DELETE) == [ProjectDeleted("atlas")]


def test_the_deletion_of_an_unknown_project_is_recorded_unless_the_registry_is_strict() -> None:
    lane = Lane()

    assert lane.accepted(DELETE) == [ProjectDeleted("atlas")]
    assert (lane.project().sequence, lane.project().deleted_at, lane.project().closed) == (1, minute(1), ())
    assert Lane(STRICT).reasons(DELETE) == [Reason.PROJECT_NOT_FOUND]


@ONLY
def test_a_project_is_deleted_once(rules: Rules) -> None:
    lane = Lane(rules).given(REGISTER, DELETE)

    assert lane.accepted(DELETE) == []
    assert lane.project().sequence == 3


@ONLY
@pytest.mark.parametrize("action", [BindProject("atlas", "amber"), UNBIND, LOCK, UNLOCK, REGISTER])
def test_nothing_else_can_be_asked_of_a_deleted_project(action: ProjectAction, rules: Rules) -> None:
    lane = Lane(rules).given(open_account(), REGISTER, DELETE)

    assert lane.reasons(action) == [Reason.PROJECT_DELETED]


@pytest.mark.parametrize("change", [UNBIND, LOCK, UNLOCK, REGISTER, DELETE])
def test_a_change_of_a_project_is_not_written_against_the_version_of_an_account(change: ProjectChange) -> None:
    [refusal] = amber_pays().refused(change, expected_version=3)

    assert (refusal.reason, refusal.details) == (Reason.INVALID_DATA, {"path": "/expectedversion"})
