"""Which rows of history a batch adds and closes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from worker.domain.book import Book, Key, Recorded
from worker.domain.events import BindingEstablished, BindingReleased, BindingSuperseded
from worker.domain.projects import Project
from worker.domain.values import BindingEnd, Instant

ENDS: Final = {
    BindingEnd.SUPERSEDED: "superseded",
    BindingEnd.UNBOUND: "released",
    BindingEnd.PROJECT_DELETED: "deleted",
}
OPENED: Final = {
    "organization": "text",
    "project": "text",
    "since": "timestamptz",
    "until": "timestamptz",
    "ended": "text",
    "prev_until": "timestamptz",
    "prev_ended": "text",
    "binding": "uuid",
    "account": "text",
    "currency": "text",
}
CLOSED: Final = {
    "organization": "text",
    "project": "text",
    "since": "timestamptz",
    "until": "timestamptz",
    "ended": "text",
}
_OPEN: Final = (None, "open")


@dataclass(slots=True)
class Rows:
    """Rows in the columns OPENED and CLOSED. `until` None is open.

    A `prev_ended` without `prev_until` means: released at an instant that has to be looked up, if ever.
    """

    opened: list[tuple[object, ...]] = field(default_factory=list)
    closed: list[tuple[object, ...]] = field(default_factory=list)


def rows_of(book: Book, recorded: Sequence[Recorded]) -> Rows:
    """What the recorded events mean for the table; an interval begun and ended in the batch is added closed."""
    rows = Rows()
    begun: dict[Key, int] = {}
    released: dict[Key, Instant] = {}
    for entry in recorded:
        event = entry.event
        if isinstance(event, BindingEstablished):
            key = (entry.organization, event.project)
            if event.supersedes is not None:
                before: tuple[Instant | None, str | None] = (event.since, "superseded")
            elif key in released:
                before = (released[key], "released")
            else:
                before = _before(book.projects[key], event.since)
            begun[key] = len(rows.opened)
            rows.opened.append((*key, event.since, *_OPEN, *before, event.binding, event.account, event.currency))
        elif isinstance(event, BindingSuperseded | BindingReleased):
            key = (entry.organization, event.project)
            ended = ENDS[event.end] if isinstance(event, BindingReleased) else "superseded"
            place = begun.pop(key, None)
            if place is None:
                rows.closed.append((*key, event.since, event.until, ended))
            else:
                row = rows.opened[place]
                rows.opened[place] = (*row[:3], event.until, ended, *row[5:])
            released[key] = event.until
    return rows


def _before(project: Project | None, since: Instant) -> tuple[Instant | None, str | None]:
    """How the interval before a binding ended that supersedes none: it was released, or there is none."""
    assert project is not None  # noqa: S101  something was bound to it
    for interval in reversed(project.closed):
        if interval.until <= since:
            return interval.until, "released"
    if project.closed_since == project.registered_at:
        return None, None
    if project.closed_since <= since:
        return project.closed_since, "released"
    return None, "released"  # more was closed in this batch than a project carries: the database knows
