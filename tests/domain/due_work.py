"""What is due, done as a lane does it: account by account, then notices, then tombstones, so much at a time."""

from dataclasses import replace

from worker.domain.book import Book, Key, Recorded
from worker.domain.due import (
    DUE_ACCOUNTS_MAX,
    NOTICES_MAX,
    TOMBSTONES_MAX,
    account_due_at,
    fall_due,
    notices,
    project_due_at,
)
from worker.domain.values import Instant, Notices, Origin


def let_fall_due(book: Book, at: Instant, origin: Origin, notices_max: int = NOTICES_MAX) -> list[Recorded]:
    """Do what is due by then; what happens is numbered from 0 on, before the command's own events."""
    recorded: list[Recorded] = []
    for key in accounts_due(book, at)[:DUE_ACCOUNTS_MAX]:
        events = fall_due(book, key, at, replace(origin, first_index=len(recorded)))
        recorded += book.record(key[0], events, at)
    for key in accounts_due(book, at)[:DUE_ACCOUNTS_MAX]:
        told, n = _tell(book, key, at, notices_max)
        notices_max -= n
        recorded += told
    for key in projects_due(book, at)[:TOMBSTONES_MAX]:
        book.tombstone(key)
    return recorded


def accounts_due(book: Book, at: Instant) -> list[Key]:
    """The accounts for which something is due, the oldest first."""
    due = [(account_due_at(account), key) for key, account in book.accounts.items() if account]
    return [key for _, key in sorted((due_at, key) for due_at, key in due if due_at and due_at <= at)]


def projects_due(book: Book, at: Instant) -> list[Key]:
    """The deleted projects whose record is to be removed, the oldest first."""
    due = [(project_due_at(project, book.rules), key) for key, project in book.projects.items() if project]
    return [key for _, key in sorted((due_at, key) for due_at, key in due if due_at and due_at <= at)]


def _tell(book: Book, key: Key, at: Instant, projects_max: int) -> tuple[list[Recorded], int]:
    """The notices of one account, and how many of its projects were looked at."""
    account = book.accounts[key]
    if account is None or account.notices is None or not projects_max:
        return [], 0
    kind, after = account.notices.kind, account.notices.after
    bound = sorted(
        project.id
        for project in book.projects.values()
        if project and project.open and (project.organization, project.open.account) == key and project.id > after
    )
    chunk = bound[:projects_max]
    recorded = book.record(key[0], notices(book, key, chunk), at)
    book.progress(key, Notices(kind, chunk[-1]) if len(chunk) < len(bound) else None)
    return recorded, len(chunk)
