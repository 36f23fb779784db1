"""The book of a batch: what it touches is loaded before, and what it changed is saved after."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.book import Book, Key, Recorded
from worker.domain.events import BindingEstablished, BindingReleased, BindingSuperseded, ProjectEvent
from worker.domain.values import Instant, Rules
from worker.store import accounts, bindings, holds, projects


@dataclass(slots=True)
class Needs:
    """What a batch touches. `samples`: of accounts that may be deleted, how many projects may leave before."""

    accounts: set[Key] = field(default_factory=set)
    projects: set[Key] = field(default_factory=set)
    samples: dict[Key, int] = field(default_factory=dict)


async def load(connection: AsyncConnection, needs: Needs, installation: UUID, rules: Rules) -> Book:
    """The book for a batch: two statements, a third if samples are needed.

    Whatever was asked for is in it, None if it does not exist; so is whoever pays for the projects now.
    """
    book = Book(installation, rules)
    await projects.load(connection, book, needs.projects)
    payers = {
        (project.organization, project.open.account)
        for project in book.projects.values()
        if project is not None and project.open is not None
    }
    await accounts.load(connection, book, needs.accounts | needs.samples.keys() | payers)
    await accounts.load_samples(connection, book, needs.samples)
    return book


async def save(connection: AsyncConnection, book: Book, recorded: Sequence[Recorded]) -> None:
    """Write what the recorded events changed: one statement for all that binding does, up to four for accounts.

    Raises StateDiverged when the database does not hold what the book was loaded from.
    """
    touched = _Touched()
    for entry in recorded:
        touched.add(entry)
    await accounts.save(connection, book, touched.accounts_created, touched.accounts)
    if touched.accounts:
        await holds.save(connection, recorded)
    if touched.projects:
        await projects.save(
            connection,
            book,
            bindings.rows_of(book, recorded),
            registered=touched.projects_registered,
            changed=[key for key in touched.projects if key not in touched.projects_registered],
            paid=[key for key in touched.payers if key not in touched.accounts],
        )


@dataclass(slots=True)
class _Touched:
    """Whom the events are about, in order of first mention. A subject is new if its first event is among them."""

    accounts: dict[Key, None] = field(default_factory=dict)
    accounts_created: dict[Key, Instant] = field(default_factory=dict)
    payers: dict[Key, None] = field(default_factory=dict)
    projects: dict[Key, None] = field(default_factory=dict)
    projects_registered: dict[Key, None] = field(default_factory=dict)

    def add(self, entry: Recorded) -> None:
        event = entry.event
        if isinstance(event, ProjectEvent):
            key = (entry.organization, event.project)
            self.projects[key] = None
            if entry.sequence == 1:
                self.projects_registered[key] = None
            if isinstance(event, BindingEstablished | BindingSuperseded | BindingReleased):
                self.payers[entry.organization, event.account] = None
        else:
            key = (entry.organization, event.account)
            self.accounts[key] = None
            if entry.sequence == 1:
                self.accounts_created[key] = entry.at
