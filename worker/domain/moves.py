"""Moves: another account takes over the projects of an account, all or none, at one instant."""

from collections.abc import Iterable, Sequence
from typing import Final

from worker.domain.accounts import Account, version_conflict, why_gone
from worker.domain.bindings import blocked_by_hold, established, not_ready
from worker.domain.commands import MoveProjects
from worker.domain.decision import Accepted, Decision, Occasion, Reason, Refusal, Rejected
from worker.domain.events import ProjectEvent
from worker.domain.projects import Project
from worker.domain.value import value
from worker.domain.values import Binding, Phase

ITEMS_MAX: Final = 5_000
"""How many projects a refusal lists at the most, first in byte order."""

INTERVALS_MAX: Final = 100_000
"""How many closed intervals the timelines of the projects may have together: each is written again with its project."""

_OVERLONG = "The timelines of these projects are too long for one command. Move them in several."


@value
class Moved:
    """What a move is about. `count` is how many projects would move, also where not all of them were looked up.

    `is_overlong`: their timelines have more than INTERVALS_MAX together, so none of them was looked up.
    """

    source: Account | None
    target: Account | None
    projects: Sequence[tuple[str, Project | None]]
    count: int
    is_overlong: bool = False


def move(order: MoveProjects, moved: Moved, expected_version: int | None, occasion: Occasion) -> Decision:
    """Let another account pay for the projects of the source, in byte order of their ids."""
    items = list(_ineligible(moved, occasion))
    if refusals := (
        *_why_not_from(moved.source, order, expected_version),
        *_why_not_to(moved.target, order),
        *_why_not_so_many(moved, order, occasion),
        *([Refusal(Reason.MOVE_ITEMS_INELIGIBLE, {"items": items[:ITEMS_MAX]})] if items else ()),
    ):
        return Rejected(refusals)
    assert moved.target is not None  # noqa: S101 - refused above
    events: list[ProjectEvent] = []
    for id_, project in moved.projects:
        assert project is not None  # noqa: S101 - not eligible
        events += established(id_, project.open, moved.target, occasion, len(events))
    return Accepted(tuple(events))


def _why_not_from(source: Account | None, order: MoveProjects, expected_version: int | None) -> tuple[Refusal, ...]:
    """Why an account does not give its projects away."""
    refusals = (Refusal(Reason.SAME_ACCOUNT),) if order.source == order.target else ()
    if gone := why_gone(source):
        return (*refusals, Refusal(gone, {"account": order.source}))
    assert source is not None  # noqa: S101 - why_gone says so
    return (*refusals, *version_conflict(source.sequence, expected_version), *blocked_by_hold(source))


def _why_not_to(target: Account | None, order: MoveProjects) -> tuple[Refusal, ...]:
    """Why an account does not take projects over. What is gone was told of the source already if it is the same."""
    if gone := why_gone(target):
        return () if order.source == order.target else (Refusal(gone, {"account": order.target}),)
    assert target is not None  # noqa: S101 - why_gone says so
    if target.phase is Phase.READY:
        return ()
    return (not_ready(target),)


def _why_not_so_many(moved: Moved, order: MoveProjects, occasion: Occasion) -> tuple[Refusal, ...]:
    """Why not this number of projects; all projects of a source that is gone are not counted."""
    if order.projects is None and why_gone(moved.source):
        return ()
    refusals: tuple[Refusal, ...] = ()
    limit, actual = occasion.rules.move_projects_max, moved.count
    if order.expected_count not in {None, actual}:
        refusals += (Refusal(Reason.MOVE_COUNT_MISMATCH, {"expected": order.expected_count, "actual": actual}),)
    if actual > limit:
        refusals += (Refusal(Reason.MOVE_TOO_LARGE, {"limit": limit, "actual": actual}),)
    elif moved.is_overlong:
        refusals += (Refusal(Reason.MOVE_TOO_LARGE, {"intervalsMax": INTERVALS_MAX}, _OVERLONG),)
    return refusals


def _ineligible(moved: Moved, occasion: Occasion) -> Iterable[dict[str, object]]:
    source = None if why_gone(moved.source) else moved.source
    for id_, project in moved.projects:
        if code := _why_not_moved(project, source, occasion):
            yield {"project": id_, "code": code}


def _why_not_moved(project: Project | None, source: Account | None, occasion: Occasion) -> Reason | None:
    """Why a project stays; whether the source pays for it is not asked of a source that is gone."""
    match project:
        case None:
            return Reason.PROJECT_NOT_FOUND if occasion.rules.strict_registry else Reason.PROJECT_NOT_BOUND
        case Project(deleted_at=deleted_at) if deleted_at is not None:
            return Reason.PROJECT_DELETED
        case Project(open=None):
            return Reason.PROJECT_NOT_BOUND
        case Project(open=Binding(account=payer)) if source is not None and payer != source.id:
            return Reason.BINDING_CHANGED
        case Project(locked=True):
            return Reason.BINDING_LOCKED
        case _:
            return None
