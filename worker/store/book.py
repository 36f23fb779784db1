"""The book of a batch: what it touches is loaded before, and what it changed is saved after."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.book import SAMPLE_MAX, Book, Key, Recorded
from worker.domain.events import BindingEstablished, BindingReleased, BindingSuperseded, ProjectEvent
from worker.domain.moves import INTERVALS_MAX
from worker.domain.projects import CLOSED_INTERVALS_MAX
from worker.domain.values import Instant, Rules
from worker.store import accounts, bindings, holds, inbox, paid, phases, projects
from worker.store.inbox import InboxRow


@dataclass(slots=True)
class Needs:
    """What a batch touches.

    `samples`: of accounts that may be archived or deleted, how many projects may leave before. `everything`: accounts
    all of whose projects may move; if others may leave before, `samples` says how many. `is_move`: the projects are
    those of one move, which is refused if their timelines are too long for one command.
    """

    accounts: set[Key] = field(default_factory=set)
    projects: set[Key] = field(default_factory=set)
    samples: dict[Key, int] = field(default_factory=dict)
    everything: set[Key] = field(default_factory=set)
    is_move: bool = False


async def load(connection: AsyncConnection, needs: Needs, installation: UUID, rules: Rules) -> Book:
    """The book for a batch: two statements, a third if an account's projects have to be looked up, one more to count.

    Whatever was asked for is in it, None if it does not exist; so is whoever pays for the projects now. Of an account
    with more projects than may move at once, `bound` is cut after the first in byte order: one more than may move.
    """
    book = Book(installation, rules)
    most = {key: leaving + SAMPLE_MAX for key, leaving in needs.samples.items()}
    most |= {key: max(SAMPLE_MAX, rules.move_projects_max + 1) + needs.samples.get(key, 0) for key in needs.everything}
    await paid.load(connection, book, most)
    moving = {(key[0], project) for key in needs.everything for project in book.bound[key]}
    wanted = needs.projects | moving
    if needs.is_move and len(wanted) * CLOSED_INTERVALS_MAX > INTERVALS_MAX:
        book.is_overlong = await projects.carry_more_than(connection, wanted, INTERVALS_MAX)
    if not book.is_overlong:
        await projects.load(connection, book, wanted)
    payers = {
        (project.organization, project.open.account)
        for project in book.projects.values()
        if project is not None and project.open is not None
    }
    await accounts.load(connection, book, needs.accounts | most.keys() | payers)
    return book


async def save(
    connection: AsyncConnection,
    book: Book,
    recorded: Sequence[Recorded],
    used: Sequence[InboxRow] = (),
    *,
    lane: int,
) -> None:
    """Write what changed and which ids are `used` up: one statement for all that binding does, up to five for accounts.

    What changed is what the recorded events are about, and what the book says has changed without one; the book can be
    used on, and saved again with what is recorded then. `lane` is where what is new belongs. Raises StateDiverged when
    the database does not hold what the book was loaded from.
    """
    touched = _Touched()
    for entry in recorded:
        touched.add(entry)
    touched.accounts.update(dict.fromkeys(sorted(book.progressed)))
    touched.projects.update(dict.fromkeys(sorted(book.tombstoned)))
    await accounts.save(connection, book, touched.accounts_created, touched.accounts, lane=lane)
    if touched.accounts:
        await holds.save(connection, recorded)
        await phases.save(connection, recorded)
    if touched.projects:
        await projects.save(
            connection,
            book,
            bindings.rows_of(book, recorded),
            registered=touched.projects_registered,
            changed=[key for key in touched.projects if key not in touched.projects_registered],
            paid=[key for key in touched.payers if key not in touched.accounts],
            lane=lane,
            used=used,
        )
    else:
        await inbox.append(connection, used)
    book.progressed.clear()
    book.tombstoned.clear()


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
