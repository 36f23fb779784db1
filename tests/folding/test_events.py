"""Folding what was published gives the state that published it, however often it is read and wherever it is cut."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.given import HASTY, INSTALLATION, MINUTE, NOON
from tests.domain.histories import History, Step, histories, law, tell
from worker.domain.book import Book
from worker.domain.values import Origin, Position
from worker.folding.events import SequenceGapError, fold, needs_of
from worker.wire.cause import Cause
from worker.wire.published import PublishedEvent, read_event
from worker.wire.writer import Writer

WRITER = Writer(INSTALLATION, "/billing")


def published(steps: Iterable[Step]) -> list[PublishedEvent]:
    """What the topics hold of a history, in the order of the log."""
    found = []
    for step in steps:
        number = (step.at - NOON) // MINUTE
        for index, entry in enumerate((*step.due, *step.recorded)):
            position = Position("billing.commands", 4, number)
            origin = Origin(INSTALLATION, entry.organization, f"command-{number}", position)
            cause = Cause(origin, "billing.any.v1", step.at, "ops", "correlation-1", None, "/billing")
            found.append(read_event(WRITER.event(cause, entry, index).record.value, INSTALLATION))
    return found


def folded(stretches: Iterable[Sequence[PublishedEvent]]) -> Book:
    """A book into which stretches were folded, each with no more looked up than it says that it needs."""
    whole = Book(INSTALLATION, HASTY)
    for events in stretches:
        needs = needs_of(events)
        book = Book(INSTALLATION, HASTY)
        book.accounts = {key: whole.accounts.get(key) for key in needs.accounts}
        book.usage = {key: whole.usage_of(key) for key in needs.accounts}
        book.projects = {key: whole.projects.get(key) for key in needs.projects}
        fold(book, events)
        whole.accounts |= book.accounts
        whole.usage |= book.usage
        whole.projects |= book.projects
    return whole


def check_equal(book: Book, true: Book) -> None:
    """What is known of whoever something happened to; how far notices have come is told by whom they told."""
    accounts = {key: account for key, account in true.accounts.items() if account}
    projects = {key: project for key, project in true.projects.items() if project}
    assert {key: replace(account, notices=None) for key, account in book.accounts.items() if account} == {
        key: replace(account, notices=None) for key, account in accounts.items()
    }
    assert {key: project for key, project in book.projects.items() if project} == {
        key: replace(project, tombstoned=False) for key, project in projects.items()
    }
    for key, account in accounts.items():
        assert book.usage_of(key) == true.usage_of(key)
        folded_account = book.accounts[key]
        assert folded_account is not None
        if account.notices is not None:
            assert folded_account.notices is not None
            assert folded_account.notices.kind is account.notices.kind


@law
@given(histories(), st.integers(0, 2**32))
def test_a_history_folded_in_stretches_of_any_length_is_the_state_that_it_left(history: History, seed: int) -> None:
    random, steps = Random(seed), tell(history)  # noqa: S311 - repeatable, not secret
    events = published(steps)
    stretches, first = [], 0
    while first < len(events):
        last = first + random.choice((1, 2, 7, 40))
        stretches.append(events[first:last])
        first = last

    if steps:
        check_equal(folded(stretches), steps[-1].after)


@law
@given(histories(), st.integers(0, 2**32))
def test_what_is_read_again_happens_once(history: History, seed: int) -> None:
    random, steps = Random(seed), tell(history)  # noqa: S311 - repeatable, not secret
    events = published(steps)
    again = random.randrange(len(events) + 1)

    if steps:
        check_equal(folded([events, events[:again], events[again // 2 :]]), steps[-1].after)


@law
@given(histories(), st.integers(0, 2**32))
def test_an_event_that_is_missing_is_named_unless_it_was_its_subjects_last(history: History, seed: int) -> None:
    events = published(tell(history))
    inner = [n for n, event in enumerate(events) if any(_follows(event, later) for later in events[n + 1 :])]
    if not inner:
        return
    missing = Random(seed).choice(inner)  # noqa: S311 - repeatable, not secret
    place = next(later.place for later in events[missing + 1 :] if _follows(events[missing], later))

    with pytest.raises(SequenceGapError, match=f"/{place.offset}/{place.index} does not follow"):
        folded([events[:missing] + events[missing + 1 :]])


def _follows(event: PublishedEvent, later: PublishedEvent) -> bool:
    def subject(told: PublishedEvent) -> tuple[str, object, object]:
        return told.organization, getattr(told.event, "project", None), getattr(told.event, "account", None)

    (organization, project, account), (of, other_project, other_account) = subject(event), subject(later)
    same = project == other_project if project or other_project else account == other_account
    return organization == of and same and later.sequence == event.sequence + 1
