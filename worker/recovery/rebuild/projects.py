"""Projects of one partition of their events, folded: closed intervals are written at once, the rest when asked for.

Only the projects that stand are kept in memory, each with its last closed interval alone, and no more than a limit of
them: the others are in the database.
"""

from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain import projects as domain
from worker.domain.book import Book, Key
from worker.domain.due import project_due_at
from worker.domain.events import BindingEstablished, BindingReleased, BindingSuperseded, ProjectEvent
from worker.domain.projects import Project
from worker.folding.events import follow
from worker.store import projects
from worker.store.bindings import ENDS, OPENED, Rows
from worker.store.columns import copy_into
from worker.wire.partitions import partition_of
from worker.wire.published import PublishedEvent

PROJECTS: Final = (
    *("organization", "project", "lane", "sequence", "registered_at", "locked", "at_risk", "deleted_at"),
    *("tombstoned", "due_at"),
)
CLOSED: Final = tuple(OPENED)
OPEN: Final = tuple(name for name in OPENED if name not in {"until", "ended"})
_FIRST: Final = (None, None)


@dataclass(slots=True)
class _Held:
    """A project, how the interval before its open one ended, and what the database has of them already."""

    project: Project | None = None
    before: tuple[object, object] = _FIRST
    is_open_stored: bool = False
    is_stored: bool = False
    is_changed: bool = False


class Projects:
    """The projects of one partition."""

    def __init__(self, book: Book, partitions: int, *, may_be_stored: bool) -> None:
        """`book` is an empty one, to load into; `may_be_stored`: the database may know some already."""
        self._book = book
        self._partitions = partitions
        self.may_be_stored = may_be_stored
        self._held: dict[Key, _Held] = {}
        self._closed: list[tuple[object, ...]] = []
        self._closed_stored: list[tuple[object, ...]] = []

    @property
    def count(self) -> int:
        """How many are kept in memory."""
        return len(self._held)

    async def look_up(self, connection: AsyncConnection, events: list[PublishedEvent]) -> None:
        """Know those that the events are about, as far as the database has them."""
        unknown = {key for told in events if (key := _key(told)) not in self._held}
        if unknown:
            await projects.load(connection, self._book, unknown)
            for key in unknown:
                if (project := self._book.projects.pop(key)) is not None:
                    is_open = project.open is not None
                    self._held[key] = _Held(_last_alone(project), is_open_stored=is_open, is_stored=True)

    def fold(self, told: PublishedEvent) -> bool:
        """Let an event happen; False if it had before. Raises SequenceGapError if it does not follow."""
        event, key = told.event, _key(told)
        held = self._held.get(key) or self._held.setdefault(key, _Held())
        before = held.project
        if told.sequence <= follow(before.sequence if before else 0, told):
            return False
        assert isinstance(event, ProjectEvent)  # noqa: S101  `_key` has seen to it
        project = domain.evolve(before, event, told.organization, told.at)
        held.is_changed = True
        if isinstance(event, BindingEstablished):
            if event.supersedes is not None:
                held.before = event.since, "superseded"
            else:
                held.before = (project.closed[-1].until, "released") if project.closed else _FIRST
        elif isinstance(event, BindingSuperseded | BindingReleased):
            self._close(held, key, project)
            project = _last_alone(project)
        held.project = project
        return True

    async def write_past(self, connection: AsyncConnection) -> None:
        """Write what is over, whoever it happened to."""
        closed, self._closed = self._closed, []
        await copy_into(connection, "bindings", CLOSED, closed)

    async def write_present(self, connection: AsyncConnection, subjects_max: int) -> None:
        """Write what stands, and forget it if that is too much."""
        changed = {key: held for key, held in self._held.items() if held.is_changed}
        await self._write_changed(connection, [key for key, held in changed.items() if held.is_stored])
        await self.write_past(connection)
        new = [row for key, held in changed.items() if not held.is_stored for row in self._row(key, held)]
        await copy_into(connection, "projects", PROJECTS, new)
        await copy_into(connection, "bindings", OPEN, [row for item in changed.items() for row in _open(*item)])
        for held in changed.values():
            held.is_stored, held.is_changed = True, False
            held.is_open_stored = held.project is not None and held.project.open is not None
        if len(self._held) > subjects_max:
            self._held.clear()
            self.may_be_stored = True

    async def _write_changed(self, connection: AsyncConnection, keys: list[Key]) -> None:
        closed, self._closed_stored = self._closed_stored, []
        for key in keys:
            self._book.projects[key] = self._held[key].project
        rows = Rows(closed=closed)
        await projects.save(connection, self._book, rows, registered=(), changed=keys, paid=(), lane=0)
        self._book.projects.clear()

    def _close(self, held: _Held, key: Key, project: Project) -> None:
        interval = project.closed[-1]
        ended = ENDS[interval.end]
        if held.is_open_stored:
            self._closed_stored.append((*key, interval.since, interval.until, ended))
            held.is_open_stored = False
        else:
            span = interval.since, interval.until, ended
            self._closed.append((*key, *span, *held.before, interval.binding, interval.account, interval.currency))

    def _row(self, key: Key, held: _Held) -> list[tuple[object, ...]]:
        project = held.project
        if project is None:
            return []
        due_at = project_due_at(project, self._book.rules)
        risk = project.locked, project.at_risk, project.deleted_at, project.tombstoned, due_at
        return [(*key, partition_of(key[0], self._partitions), project.sequence, project.registered_at, *risk)]


def _key(told: PublishedEvent) -> Key:
    assert isinstance(told.event, ProjectEvent)  # noqa: S101  of a topic of bindings
    return told.organization, told.event.project


def _open(key: Key, held: _Held) -> list[tuple[object, ...]]:
    if held.project is None or held.project.open is None or held.is_open_stored:
        return []
    binding = held.project.open
    return [(*key, binding.since, *held.before, binding.id, binding.account, binding.currency)]


def _last_alone(project: Project) -> Project:
    return replace(project, closed=project.closed[-1:])
