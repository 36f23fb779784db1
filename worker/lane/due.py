"""What is due comes before each command or tick of its partition, so much at a time; the rest before the next."""

from collections.abc import Sequence

from worker.domain.book import Book, Key, Recorded
from worker.domain.due import NOTICES_MAX, fall_due, notices
from worker.domain.value import value
from worker.domain.values import Notices, Origin
from worker.store.due import Due
from worker.wire.cause import Cause


@value
class DueWork:
    """What was done: events recorded, and projects whose records go from the compacted topic."""

    recorded: Sequence[Recorded]
    tombstones: Sequence[Key]


NOTHING_DUE = DueWork((), ())


def do_due_work(book: Book, cause: Cause, due: Due, touched: Sequence[Key]) -> DueWork:
    """Do it, and record it in the book.

    First the accounts at the head of what is due, then those that the command touches (however much else is due, no
    command finds an account that should have fallen), then notices, then tombstones.
    """
    recorded: list[Recorded] = []
    looked_up = {key: _pending(book, key) for key in due.notices}
    for key in dict.fromkeys([*due.accounts, *touched]):
        if book.accounts[key] is not None:
            events = fall_due(book, key, cause.at, _origin(cause, key, len(recorded)))
            recorded += book.record(key[0], events, cause.at)
    left = NOTICES_MAX
    for key, projects in due.notices.items():
        pending = _pending(book, key)
        if pending is not None and pending == looked_up[key]:  # else it has become void: others are to be told now
            recorded += book.record(key[0], notices(book, key, projects), cause.at)
            book.progress(key, None if len(projects) < left else Notices(pending.kind, projects[-1]))
        left -= len(projects)
    for key in due.tombstones:
        book.tombstone(key)
    return DueWork(recorded, due.tombstones)


def _pending(book: Book, key: Key) -> Notices | None:
    account = book.accounts[key]
    return None if account is None else account.notices


def _origin(cause: Cause, key: Key, index: int) -> Origin:
    origin = cause.origin
    return Origin(origin.installation, key[0], origin.command, origin.position, index)
