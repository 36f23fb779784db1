"""Commands about a project itself and about keeping its payer."""

from worker.domain.bindings import bound_project, released
from worker.domain.commands import DeleteProject, LockProject, RegisterProject, UnlockProject
from worker.domain.decision import Accepted, Decision, Occasion, Reason, Rejected, refuse
from worker.domain.events import (
    BindingLocked,
    BindingUnlocked,
    PayerMissing,
    ProjectDeleted,
    ProjectEvent,
    ProjectRegistered,
)
from worker.domain.projects import Project
from worker.domain.values import BindingEnd, Unpaid


def register(project: Project | None, order: RegisterProject, occasion: Occasion) -> Decision:
    """Know a project from now on."""
    if project is None:
        missing = PayerMissing(order.project, occasion.at, Unpaid.REGISTERED)
        return Accepted((ProjectRegistered(order.project), missing))
    return refuse(Reason.PROJECT_DELETED) if project.deleted_at is not None else Accepted()


def delete(project: Project | None, order: DeleteProject, occasion: Occasion) -> Decision:
    """Know that a project is gone: a fact, whatever locks or holds there are. Nobody misses a payer for it."""
    if project is None and occasion.rules.strict_registry:
        return refuse(Reason.PROJECT_NOT_FOUND)
    if project is not None and project.deleted_at is not None:
        return Accepted()
    events: list[ProjectEvent] = []
    if project is not None and (old := project.open) is not None:
        events.append(released(project, old, occasion, BindingEnd.PROJECT_DELETED))
    return Accepted((*events, ProjectDeleted(order.project)))


def lock(project: Project | None, order: LockProject, occasion: Occasion) -> Decision:
    """Keep the payer of a project until it is unlocked."""
    bound = bound_project(project, occasion)
    if isinstance(bound, Rejected):
        return bound
    known, binding = bound
    return Accepted(() if known.locked else (BindingLocked(binding.id, known.id, binding.account, order.note),))


def unlock(project: Project | None, order: UnlockProject, occasion: Occasion) -> Decision:
    """Let the payer of a project change again."""
    bound = bound_project(project, occasion)
    if isinstance(bound, Rejected):
        return bound
    known, binding = bound
    return Accepted((BindingUnlocked(binding.id, known.id, binding.account, order.note),) if known.locked else ())
