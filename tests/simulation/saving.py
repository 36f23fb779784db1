"""Writing what a batch changed, and what the database's rules say against it."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.simulation.tables import BindingRow, ProjectRow, Staged, Tables, account_row, violation
from worker.domain.book import Book, Key, Recorded
from worker.domain.due import project_due_at
from worker.domain.events import (
    BindingEstablished,
    BindingReleased,
    BindingSuperseded,
    HoldPlaced,
    HoldReleased,
    ProjectEvent,
)
from worker.domain.values import Hold, Instant
from worker.store import bindings
from worker.store.account_columns import row_of
from worker.store.errors import StateDiverged
from worker.store.inbox import InboxRow
from worker.store.journal_rows import JournalRow


def stage(
    tables: Tables,
    staged: Staged,
    partition: int,
    book: Book,
    recorded: Sequence[Recorded],
    used: Sequence[InboxRow] = (),
) -> None:
    """Write, within the transaction, what `worker.store.database` would. Raises as the database would."""
    touched = _Touched(recorded, book)
    for key in touched.accounts:
        _stage_account(tables, staged, book, key, partition, is_new=key in touched.created)
    _stage_holds(tables, staged, recorded)
    for key in touched.projects:
        _stage_project(tables, staged, book, key, partition, is_new=key in touched.registered)
    for key in touched.payers:
        if key not in touched.accounts:
            _stage_account(tables, staged, book, key, partition, is_new=False)
    _stage_bindings(tables, staged, book, recorded)
    for row in used:
        key = (row.organization, row.command_id)
        if key in staged.inbox:
            raise violation("a_command_id_is_used_once")
        staged.inbox[key] = row
    staged.check(tables, partition)
    book.progressed.clear()
    book.tombstoned.clear()


def append(tables: Tables, staged: Staged, partition: int, outgoing: Sequence[JournalRow]) -> None:
    """Add records that go out. Raises as the database would."""
    staged.journal += outgoing
    staged.check(tables, partition)


class _Touched:
    """Whom the events are about. A subject is new if its first event is among them."""

    def __init__(self, recorded: Sequence[Recorded], book: Book) -> None:
        self.accounts: dict[Key, None] = {}
        self.created: dict[Key, None] = {}
        self.projects: dict[Key, None] = {}
        self.registered: dict[Key, None] = {}
        self.payers: dict[Key, None] = {}
        for entry in recorded:
            event = entry.event
            if isinstance(event, ProjectEvent):
                key = (entry.organization, event.project)
                self.projects[key] = None
                if entry.sequence == 1:
                    self.registered[key] = None
                if isinstance(event, BindingEstablished | BindingSuperseded | BindingReleased):
                    self.payers[entry.organization, event.account] = None
            else:
                key = (entry.organization, event.account)
                self.accounts[key] = None
                if entry.sequence == 1:
                    self.created[key] = None
        self.accounts.update(dict.fromkeys(sorted(book.progressed)))
        self.projects.update(dict.fromkeys(sorted(book.tombstoned)))


def _stage_account(tables: Tables, staged: Staged, book: Book, key: Key, lane: int, *, is_new: bool) -> None:
    account = book.accounts[key]
    assert account is not None
    _require(key, tables.accounts, staged.accounts, is_new=is_new)
    if is_new:
        staged.created.append(key)
    lives_in = lane if is_new else (staged.accounts.get(key) or tables.accounts[key]).lane
    staged.accounts[key] = account_row._make((*row_of(account, book.usage_of(key)), lives_in))


def _stage_project(tables: Tables, staged: Staged, book: Book, key: Key, lane: int, *, is_new: bool) -> None:
    project = book.projects[key]
    assert project is not None
    _require(key, tables.projects, staged.projects, is_new=is_new)
    if is_new:
        staged.registered.append(key)
    staged.projects[key] = ProjectRow(
        project.sequence,
        project.registered_at,
        project.locked,
        project.at_risk,
        project.deleted_at,
        project.tombstoned,
        project_due_at(project, book.rules),
        lane if is_new else (staged.projects.get(key) or tables.projects[key]).lane,
    )


def _require(key: Key, rows: Mapping[Key, Any], written: Mapping[Key, Any], *, is_new: bool) -> None:
    if not is_new and key not in rows and key not in written:
        raise StateDiverged(f"{key} changed and is not there")


def _stage_holds(tables: Tables, staged: Staged, recorded: Sequence[Recorded]) -> None:
    for entry in recorded:
        event = entry.event
        if not isinstance(event, HoldPlaced | HoldReleased):
            continue
        key = (entry.organization, event.account)
        active: tuple[Hold, ...] = staged.holds.get(key, tables.holds.get(key, ()))
        ids = [hold.id for hold in active]
        if isinstance(event, HoldPlaced):
            if event.hold.id in ids:
                raise violation("one_active_hold_per_id")
            staged.holds[key] = (*active, event.hold)
        elif event.hold.id not in ids:
            raise StateDiverged(f"hold {event.hold.id} of {key} released and not active")
        else:
            staged.holds[key] = tuple(hold for hold in active if hold.id != event.hold.id)


def _stage_bindings(tables: Tables, staged: Staged, book: Book, recorded: Sequence[Recorded]) -> None:
    rows = bindings.rows_of(book, recorded)
    for organization, project, since, until, ended in rows.closed:
        key = (str(organization), str(project))
        known = staged.bindings.get(key, tables.bindings.get(key, ()))
        if not known or known[-1].ended != "open" or known[-1].since != since:
            raise StateDiverged(f"a binding of {key} closed that is not open")
        ended_now = known[-1]._replace(until=until, ended=str(ended))  # type: ignore[arg-type]  # columns of SQL
        staged.bindings[key] = (*known[:-1], ended_now)
    for organization, project, since, until, ended, before, _, binding, account, currency in rows.opened:
        key = (str(organization), str(project))
        known = staged.bindings.get(key, tables.bindings.get(key, ()))
        _check_follows(known, since, before)
        row = BindingRow(since, until, str(ended), str(binding), str(account), str(currency))  # type: ignore[arg-type]
        staged.bindings[key] = (*known, row)


def _check_follows(known: tuple[BindingRow, ...], since: object, before: object) -> None:
    """No second open interval, no overlap, no predecessor that is not there."""
    if not known:
        if before is not None:
            raise violation("a_binding_follows_a_closed_one")
        return
    last: Instant | None = known[-1].until
    if last is None:
        raise violation("one_open_binding_per_project")
    if last > since:  # type: ignore[operator]
        raise violation("one_binding_follows_another")
    if before is not None and before != last:
        raise violation("a_binding_follows_a_closed_one")
