"""The part of the state that a batch of commands touches, and the one way in which events change it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TypeAlias, assert_never
from uuid import UUID

from worker.domain import accounts, projects
from worker.domain.accounts import Account, Usage
from worker.domain.events import (
    BindingEstablished,
    BindingLocked,
    BindingReleased,
    BindingSuperseded,
    BindingUnlocked,
    Event,
    PayerAtRisk,
    PayerMissing,
    PayerRestored,
    ProjectDeleted,
    ProjectEvent,
    ProjectRegistered,
)
from worker.domain.projects import Project
from worker.domain.value import value
from worker.domain.values import Instant, Notices, Rules

Key: TypeAlias = tuple[str, str]
"""Organization and id: nothing of one organization can touch another's."""

SAMPLE_MAX = 10
"""How many projects a refusal lists as a sample, first in byte order."""


@value
class Recorded:
    """An event with its place in its subject's sequence."""

    organization: str
    event: Event
    sequence: int
    at: Instant


@dataclass(slots=True)
class Book:
    """Accounts and projects that were looked up, also those that do not exist.

    Asking for one that was not looked up raises KeyError: a defect, never "not found". `bound` holds, for accounts
    that may be archived or deleted, the first projects in byte order that they pay for, enough that the sample stays
    right whatever the batch does; for one all of whose projects are to move, all of them.

    `is_overlong`: the projects of a move were not looked up, for their timelines are too long for one command.

    `progressed` and `tombstoned` are the accounts and projects that changed without an event: how far their notices
    have come, and that their record is removed.
    """

    installation: UUID
    rules: Rules
    accounts: dict[Key, Account | None] = field(default_factory=dict)
    usage: dict[Key, Usage] = field(default_factory=dict)
    projects: dict[Key, Project | None] = field(default_factory=dict)
    bound: dict[Key, set[str]] = field(default_factory=dict)
    progressed: set[Key] = field(default_factory=set)
    tombstoned: set[Key] = field(default_factory=set)
    is_overlong: bool = False

    def copy(self) -> "Book":
        """A book to try things in; the values themselves are immutable and shared."""
        bound = {account: set(projects) for account, projects in self.bound.items()}
        return Book(
            self.installation,
            self.rules,
            dict(self.accounts),
            dict(self.usage),
            dict(self.projects),
            bound,
            set(self.progressed),
            set(self.tombstoned),
            self.is_overlong,
        )

    def usage_of(self, account: Key) -> Usage:
        """How many projects the account pays for."""
        return self.usage.get(account) or Usage()

    def sample_of(self, account: Key) -> list[str]:
        """The first projects that the account pays for, in byte order."""
        return sorted(self.bound.get(account, ()))[:SAMPLE_MAX]

    def payer_of(self, project: Project | None) -> Account | None:
        """The account that pays for the project now."""
        if project is None or project.open is None:
            return None
        return self.accounts[project.organization, project.open.account]

    def record(self, organization: str, events: Iterable[Event], at: Instant) -> list[Recorded]:
        """Let the events happen: each gets its place in its subject's sequence and changes the state."""
        return [Recorded(organization, event, self._evolve(organization, event, at), at) for event in events]

    def progress(self, account: Key, notices: Notices | None) -> None:
        """Note how far an account's notices have come; None when all are out."""
        known = self.accounts[account]
        if known is None:
            msg = "notices of an account that nobody knows"
            raise ValueError(msg)
        self.accounts[account] = replace(known, notices=notices)
        self.progressed.add(account)

    def tombstone(self, project: Key) -> None:
        """Note that a deleted project's record is removed from its compacted topic."""
        known = self.projects[project]
        if known is None or known.deleted_at is None:
            msg = "a tombstone for a project that is not deleted"
            raise ValueError(msg)
        self.projects[project] = replace(known, tombstoned=True)
        self.tombstoned.add(project)

    def _evolve(self, organization: str, event: Event, at: Instant) -> int:
        if isinstance(event, ProjectEvent):
            key = (organization, event.project)
            project = projects.evolve(self.projects[key], event, organization, at)
            self.projects[key] = project
            self._count(organization, event)
            return project.sequence
        key = (organization, event.account)
        account = accounts.evolve(self.accounts[key], event, organization, at)
        self.accounts[key] = account
        return account.sequence

    def _count(self, organization: str, event: ProjectEvent) -> None:
        match event:
            case BindingEstablished():
                key = (organization, event.account)
                usage = self.usage_of(key)
                self.usage[key] = Usage(usage.active_bindings + 1, usage.last_until)
                if key in self.bound:
                    self.bound[key].add(event.project)
            case BindingSuperseded() | BindingReleased():
                key = (organization, event.account)
                self.usage[key] = Usage(self.usage_of(key).active_bindings - 1, event.until)
                if key in self.bound:
                    self.bound[key].discard(event.project)
            case (
                ProjectRegistered()
                | ProjectDeleted()
                | BindingLocked()
                | BindingUnlocked()
                | PayerAtRisk()
                | PayerRestored()
                | PayerMissing()
            ):
                pass
            case _ as never:
                assert_never(never)
