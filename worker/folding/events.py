"""Letting happen again what was published, by the one `evolve` of the rules. Nothing is decided."""

from collections.abc import Iterable, Sequence

from worker.domain.book import Book, Recorded
from worker.domain.events import AccountEvent, ProjectEvent
from worker.store.book import Needs
from worker.wire.published import PublishedEvent


class SequenceGapError(Exception):
    """An event is missing between what is known of a subject and what was read: the topics are not whole.

    In the midst of a cut-over it may be that another lane has to go first.
    """

    def __init__(self, subject: str, known: int, told: PublishedEvent) -> None:
        place = "/".join(map(str, told.place))
        super().__init__(f"{subject} stands at event {known}, and event {told.sequence} at {place} does not follow")


def needs_of(events: Iterable[PublishedEvent]) -> Needs:
    """Whom the events are about, also those who pay."""
    needs = Needs()
    for told in events:
        event = told.event
        if isinstance(event, ProjectEvent):
            needs.projects.add((told.organization, event.project))
        if (account := getattr(event, "account", None)) is not None:
            needs.accounts.add((told.organization, account))
    return needs


def fold(book: Book, events: Iterable[PublishedEvent]) -> Sequence[Recorded]:
    """Let the events happen in the book, and return those that were new to it.

    An event that is not above what is known of its subject is dropped. Raises SequenceGapError for one that does not
    follow. How far an account's notices have come is no event: it begins anew with those that were not told yet.
    """
    recorded: list[Recorded] = []
    for told in events:
        if told.sequence > follow(_sequence(book, told), told):
            recorded += book.record(told.organization, [told.event], told.at)
    return recorded


def follow(known: int, told: PublishedEvent) -> int:
    """The sequence that is known of an event's subject. Raises SequenceGapError if the event lies further ahead."""
    if told.sequence > known + 1:
        raise SequenceGapError(subject_of(told), known, told)
    return known


def subject_of(told: PublishedEvent) -> str:
    """The subject of an event, as the contract writes it."""
    event = told.event
    if isinstance(event, ProjectEvent):
        return f"projects/{told.organization}/{event.project}"
    return f"accounts/{told.organization}/{event.account}"


def _sequence(book: Book, told: PublishedEvent) -> int:
    event = told.event
    if isinstance(event, AccountEvent):
        account = book.accounts[told.organization, event.account]
        return account.sequence if account is not None else 0
    project = book.projects[told.organization, event.project]
    return project.sequence if project is not None else 0
