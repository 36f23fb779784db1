"""A project as billing knows it: who pays now, and who paid before."""

from dataclasses import replace
from typing import assert_never

from worker.domain.events import (
    BindingEstablished,
    BindingLocked,
    BindingReleased,
    BindingSuperseded,
    BindingUnlocked,
    PayerAtRisk,
    PayerMissing,
    PayerRestored,
    ProjectDeleted,
    ProjectEvent,
    ProjectRegistered,
)
from worker.domain.value import value
from worker.domain.values import Binding, BindingEnd, Instant, Interval

CLOSED_INTERVALS_MAX = 200
"""How many closed intervals a project's record carries; the whole history is in the database and the event topic."""


@value
class Project:
    """One project as it stands. `sequence` is the number of its last event.

    `closed` is oldest first. From `closed_since` on it is complete; before, intervals were cut off. `at_risk`: the
    present payer is suspended, and the project was told. `tombstoned`: its compacted record was removed; no event.
    """

    organization: str
    id: str
    sequence: int
    registered_at: Instant
    closed_since: Instant
    open: Binding | None = None
    locked: bool = False
    closed: tuple[Interval, ...] = ()
    deleted_at: Instant | None = None
    at_risk: bool = False
    tombstoned: bool = False


def evolve(project: Project | None, event: ProjectEvent, organization: str, at: Instant) -> Project:
    """The project after the event."""
    if isinstance(event, ProjectRegistered):
        return Project(organization, event.project, sequence=1, registered_at=at, closed_since=at)
    if isinstance(event, ProjectDeleted):
        known = project or Project(organization, event.project, sequence=0, registered_at=at, closed_since=at)
        return replace(known, sequence=known.sequence + 1, deleted_at=at)
    if project is None:
        msg = f"{type(event).__name__} of a project that nobody knows"
        raise ValueError(msg)
    sequence = project.sequence + 1
    match event:
        case BindingEstablished():
            binding = Binding(event.binding, event.account, event.since, event.currency)
            return replace(project, sequence=sequence, open=binding)
        case BindingSuperseded():
            return _closed(project, sequence, event.until, BindingEnd.SUPERSEDED)
        case BindingReleased():
            return _closed(project, sequence, event.until, event.end)
        case BindingLocked():
            return replace(project, sequence=sequence, locked=True)
        case BindingUnlocked():
            return replace(project, sequence=sequence, locked=False)
        case PayerAtRisk():
            return replace(project, sequence=sequence, at_risk=True)
        case PayerRestored():
            return replace(project, sequence=sequence, at_risk=False)
        case PayerMissing():
            return replace(project, sequence=sequence)
        case _ as never:
            assert_never(never)


def _closed(project: Project, sequence: int, until: Instant, end: BindingEnd) -> Project:
    binding = project.open
    if binding is None:
        msg = "an interval was closed that is not open"
        raise ValueError(msg)
    interval = Interval(binding.id, binding.account, binding.currency, binding.since, until, end)
    closed = (*project.closed, interval)
    closed_since = project.closed_since
    if len(closed) > CLOSED_INTERVALS_MAX:
        closed_since = closed[-CLOSED_INTERVALS_MAX - 1].until
        closed = closed[-CLOSED_INTERVALS_MAX:]
    return replace(
        project, sequence=sequence, open=None, locked=False, at_risk=False, closed=closed, closed_since=closed_since
    )
