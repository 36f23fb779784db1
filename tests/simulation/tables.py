"""What PostgreSQL holds, as rows of plain values: nothing that a book changes is in here."""

from collections import namedtuple
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy.exc import IntegrityError

from worker.domain.book import Key
from worker.domain.values import Hold, Instant
from worker.store.account_columns import LOADED
from worker.store.inbox import InboxRow
from worker.store.journal_rows import JournalRow
from worker.store.lanes import Lane

AccountRow: TypeAlias = Any
"""An account in the product's own columns, and its lane."""

account_row: Any = namedtuple("AccountRow", (*LOADED, "lane"))  # type: ignore[misc]  # noqa: PYI024 - the product's columns

DUE_AT = LOADED.index("due_at")


class ProjectRow(NamedTuple):
    """A project without its bindings."""

    sequence: int
    registered_at: Instant
    locked: bool
    at_risk: bool
    deleted_at: Instant | None
    tombstoned: bool
    due_at: Instant | None
    lane: int


class BindingRow(NamedTuple):
    """One interval. `until` None: open."""

    since: Instant
    until: Instant | None
    ended: str
    binding: str
    account: str
    currency: str


@dataclass
class Tables:
    """All rows. A project's bindings are in the order of their beginning, an account's active holds as placed."""

    lanes: dict[int, Lane] = field(default_factory=dict)
    accounts: dict[Key, AccountRow] = field(default_factory=dict)
    holds: dict[Key, tuple[Hold, ...]] = field(default_factory=dict)
    projects: dict[Key, ProjectRow] = field(default_factory=dict)
    bindings: dict[Key, tuple[BindingRow, ...]] = field(default_factory=dict)
    inbox: dict[Key, InboxRow] = field(default_factory=dict)
    journal: dict[int, list[JournalRow]] = field(default_factory=dict)
    room: dict[int, int] = field(default_factory=dict)
    rules: dict[tuple[int, int], object] = field(default_factory=dict)

    def copy(self) -> "Tables":
        """A backup."""
        copied = Tables(**{each.name: dict(getattr(self, each.name)) for each in fields(self)})
        copied.journal = {lane: list(rows) for lane, rows in self.journal.items()}
        return copied


@dataclass
class Staged:
    """What a transaction has written and not committed. `created`: accounts that must not be there."""

    lane: Lane | None = None
    accounts: dict[Key, AccountRow] = field(default_factory=dict)
    created: list[Key] = field(default_factory=list)
    holds: dict[Key, tuple[Hold, ...]] = field(default_factory=dict)
    projects: dict[Key, ProjectRow] = field(default_factory=dict)
    registered: list[Key] = field(default_factory=list)
    bindings: dict[Key, tuple[BindingRow, ...]] = field(default_factory=dict)
    inbox: dict[Key, InboxRow] = field(default_factory=dict)
    journal: list[JournalRow] = field(default_factory=list)
    rules: dict[tuple[int, int], object] = field(default_factory=dict)

    def over(self, tables: Tables) -> Tables:
        """State as the transaction itself sees it."""
        return replace(
            tables,
            accounts=tables.accounts | self.accounts,
            holds=tables.holds | self.holds,
            projects=tables.projects | self.projects,
            bindings=tables.bindings | self.bindings,
        )

    def check(self, tables: Tables, partition: int) -> None:
        """What unique keys forbid. Raises IntegrityError."""
        refuse_known("an_account_id_is_used_once", self.created, tables.accounts)
        refuse_known("a_project_id_is_used_once", self.registered, tables.projects)
        refuse_known("a_command_id_is_used_once", self.inbox, tables.inbox)
        before = tables.journal.get(partition)
        if self.journal and before and self.journal[0][:2] <= before[-1][:2]:
            raise violation(f"journal_{partition}_pkey")
        if self.journal and self.journal[-1].offset >= tables.room.get(partition, 0):
            raise violation("no piece of the journal for the row")

    def apply(self, tables: Tables, partition: int) -> None:
        """COMMIT."""
        if self.lane is not None:
            tables.lanes[partition] = self.lane
        tables.accounts.update(self.accounts)
        tables.holds.update(self.holds)
        tables.projects.update(self.projects)
        tables.bindings.update(self.bindings)
        tables.inbox.update(self.inbox)
        tables.rules.update(self.rules)
        if self.journal:
            tables.journal.setdefault(partition, []).extend(self.journal)


def refuse_known(constraint: str, keys: Iterable[Key], known: Collection[Key]) -> None:
    """A unique key."""
    for key in keys:
        if key in known:
            raise violation(constraint)


def violation(constraint: str) -> IntegrityError:
    """What the driver raises when a constraint is hit."""
    return IntegrityError(f"violates {constraint}", None, ValueError(constraint))
