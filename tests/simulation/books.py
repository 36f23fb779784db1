"""Rows and books: what a batch touches is read from the tables as the store does it."""

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from uuid import UUID

from tests.simulation.tables import DUE_AT, BindingRow, ProjectRow, Tables
from worker.domain.accounts import Usage
from worker.domain.book import SAMPLE_MAX, Book, Key
from worker.domain.due import DUE_ACCOUNTS_MAX, NOTICES_MAX, TOMBSTONES_MAX
from worker.domain.projects import CLOSED_INTERVALS_MAX, Project
from worker.domain.values import Binding, Instant, Interval, NoticeKind, Rules
from worker.store.account_columns import LOADED, account_of
from worker.store.bindings import ENDS
from worker.store.book import Needs
from worker.store.due import Due

_ENDS = {ended: end for end, ended in ENDS.items()}
_LABELS = LOADED.index("labels")
_SCHEDULED = LOADED.index("scheduled")


def load(tables: Tables, needs: Needs, installation: UUID, rules: Rules) -> Book:
    """The book for a batch, as `worker.store.book.load` makes it. Nothing in it is shared with the tables."""
    book = Book(installation, rules)
    most = {key: leaving + SAMPLE_MAX for key, leaving in needs.samples.items()}
    most |= {key: max(SAMPLE_MAX, rules.move_projects_max + 1) + needs.samples.get(key, 0) for key in needs.everything}
    for key, count in sorted(most.items()):
        book.bound[key] = set(paid_by(tables, key)[:count])
    moving = {(key[0], project) for key in needs.everything for project in book.bound[key]}
    load_projects(tables, book, needs.projects | moving)
    payers = {
        (project.organization, project.open.account)
        for project in book.projects.values()
        if project is not None and project.open is not None
    }
    load_accounts(tables, book, needs.accounts | most.keys() | payers)
    return book


def load_due(tables: Tables, book: Book, lane: int, at: Instant) -> Due:
    """What is due by an instant, as `worker.store.due.load` finds it."""
    due = Due()
    accounts = sorted((found, *key) for found, key in _falls_due(tables.accounts, lane) if found <= at)
    projects = sorted((found, *key) for found, key in _falls_due(tables.projects, lane) if found <= at)
    due.accounts = [(organization, name) for _, organization, name in accounts[:DUE_ACCOUNTS_MAX]]
    due.tombstones = [(organization, name) for _, organization, name in projects[:TOMBSTONES_MAX]]
    left = [found for found, *_ in (*accounts[DUE_ACCOUNTS_MAX:], *projects[TOMBSTONES_MAX:])]
    found_later = [*_falls_due(tables.accounts, lane), *_falls_due(tables.projects, lane)]
    due.next_at = min([*left, *(found for found, _ in found_later if found > at)], default=None)
    load_accounts(tables, book, [key for key in due.accounts if key not in book.accounts])
    _load_notices(tables, book, due)
    touched = [*due.tombstones, *((key[0], name) for key, names in due.notices.items() for name in names)]
    load_projects(tables, book, [key for key in touched if key not in book.projects])
    return due


def next_at(tables: Tables, lane: int) -> Instant | None:
    """When the lane has something to do next."""
    found = [*_falls_due(tables.accounts, lane), *_falls_due(tables.projects, lane)]
    return min((at for at, _ in found), default=None)


def load_accounts(tables: Tables, book: Book, keys: Collection[Key]) -> None:
    """Accounts with their active holds and what they pay for."""
    for key in sorted(keys):
        row = tables.accounts.get(key)
        book.accounts[key] = None
        if row is not None:
            parsed = row._replace(labels=_parsed(row[_LABELS]), scheduled=_parsed(row[_SCHEDULED]))
            book.accounts[key] = account_of(parsed, tables.holds.get(key, ()))
            book.usage[key] = Usage(row.active_bindings, row.last_binding_until)


def load_projects(tables: Tables, book: Book, keys: Collection[Key]) -> None:
    """Projects with who pays now and who paid before."""
    for key in sorted(keys):
        row = tables.projects.get(key)
        book.projects[key] = None if row is None else _project(key, row, tables.bindings.get(key, ()))


def paid_by(tables: Tables, account: Key) -> list[str]:
    """The projects that an account pays for, in byte order."""
    return sorted(
        project
        for (organization, project), rows in tables.bindings.items()
        if organization == account[0] and rows and rows[-1].ended == "open" and rows[-1].account == account[1]
    )


def _project(key: Key, row: ProjectRow, rows: tuple[BindingRow, ...]) -> Project:
    is_open = bool(rows) and rows[-1].ended == "open"
    closed = tuple(_interval(each) for each in (rows[:-1] if is_open else rows))
    is_cut = len(closed) > CLOSED_INTERVALS_MAX
    last = rows[-1] if is_open else None
    return Project(
        organization=key[0],
        id=key[1],
        sequence=row.sequence,
        registered_at=row.registered_at,
        closed_since=closed[-CLOSED_INTERVALS_MAX - 1].until if is_cut else row.registered_at,
        open=Binding(last.binding, last.account, last.since, last.currency) if last else None,
        locked=row.locked,
        closed=closed[-CLOSED_INTERVALS_MAX:],
        deleted_at=row.deleted_at,
        at_risk=row.at_risk,
        tombstoned=row.tombstoned,
    )


def _interval(row: BindingRow) -> Interval:
    assert row.until is not None
    return Interval(row.binding, row.account, row.currency, row.since, row.until, _ENDS[row.ended])


def _load_notices(tables: Tables, book: Book, due: Due) -> None:
    left = NOTICES_MAX
    for key in due.accounts:
        account = book.accounts[key]
        if account is None or account.notices is None:
            continue
        if not left:
            break
        is_told = account.notices.kind is NoticeKind.RESTORED
        after = account.notices.after
        owed = [
            project
            for project in paid_by(tables, key)
            if project > after and tables.projects[key[0], project].at_risk is is_told
        ]
        due.notices[key] = owed[:left]
        left -= len(due.notices[key])


def _falls_due(rows: Mapping[Key, Any], lane: int) -> Iterable[tuple[Instant, Key]]:
    for key, row in rows.items():
        at = row.due_at if isinstance(row, ProjectRow) else row[DUE_AT]
        if at is not None and row.lane == lane:
            yield at, key


def _parsed(written: str) -> Any:
    """A json column as the driver gives it."""
    if written in {"{}", "[]"}:
        return {} if written == "{}" else []
    return json.loads(written)
