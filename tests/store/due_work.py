"""Due work as a lane does it, and what is due in a book that holds everything."""

from worker.domain.book import Book, Key, Recorded
from worker.domain.due import NOTICES_MAX, account_due_at, fall_due, notices, project_due_at
from worker.domain.values import Instant, NoticeKind, Notices, Origin, Position
from worker.store.due import Due


def do_due_work(book: Book, due: Due, at: Instant, offset: int = 0) -> list[Recorded]:
    """Whatever is due happens to the book."""
    recorded: list[Recorded] = []
    owed = {key: pending_of(book, key) for key in due.notices}
    for key in due.accounts:
        origin = Origin(book.installation, key[0], f"due-{offset}", Position("commands", 0, offset), len(recorded))
        recorded += book.record(key[0], fall_due(book, key, at, origin), at)
    left = NOTICES_MAX
    for key, projects in due.notices.items():
        pending = owed[key]
        assert pending is not None
        if pending_of(book, key) == pending:
            recorded += book.record(key[0], notices(book, key, projects), at)
            book.progress(key, None if len(projects) < left else Notices(pending.kind, projects[-1]))
        left -= len(projects)
    for key in due.tombstones:
        book.tombstone(key)
    return recorded


def due_of(book: Book, at: Instant) -> Due:
    """What is due by an instant, without limits."""
    accounts = {key: account_due_at(account) for key, account in book.accounts.items() if account}
    projects = {key: project_due_at(project, book.rules) for key, project in book.projects.items() if project}
    first = sorted((due_at, key) for key, due_at in accounts.items() if due_at is not None and due_at <= at)
    gone = sorted((due_at, key) for key, due_at in projects.items() if due_at is not None and due_at <= at)
    owing = [key for _, key in first if pending_of(book, key) is not None]
    later = [due_at for due_at in (*accounts.values(), *projects.values()) if due_at is not None and due_at > at]
    notices_owed = {key: untold(book, key) for key in owing}
    return Due([key for _, key in first], notices_owed, [key for _, key in gone], min(later, default=None))


def next_of(book: Book) -> Instant | None:
    """When something is due next."""
    accounts = [account_due_at(account) for account in book.accounts.values() if account]
    projects = [project_due_at(project, book.rules) for project in book.projects.values() if project]
    return min((due_at for due_at in accounts + projects if due_at is not None), default=None)


def pending_of(book: Book, key: Key) -> Notices | None:
    account = book.accounts[key]
    return account.notices if account else None


def untold(book: Book, key: Key) -> list[str]:
    pending = pending_of(book, key)
    assert pending is not None
    return sorted(
        project.id
        for project in book.projects.values()
        if project is not None and project.open is not None and project.id > pending.after
        if (project.organization, project.open.account) == key
        if project.at_risk is (pending.kind is NoticeKind.RESTORED)
    )
