"""Laws about whole histories; those about the phases of accounts are in test_laws_of_phases.py."""

import re
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise

from hypothesis import given

from tests.domain.given import INSTALLATION
from tests.domain.histories import ORGANIZATIONS, History, Sent, Step, everything, histories, law, tell
from worker.domain import accounts, projects
from worker.domain.accounts import Account, Usage
from worker.domain.book import Book, Key
from worker.domain.decide import decide
from worker.domain.decision import Accepted, Reason, Rejected
from worker.domain.due import NOTICES_MAX
from worker.domain.events import BindingEstablished, BindingReleased, BindingSuperseded, ProjectEvent
from worker.domain.projects import Project
from worker.domain.values import Binding, BindingEnd, Interval, Notices, Phase, Rules

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


@law
@given(histories())
def test_state_is_the_fold_of_its_events(history: History) -> None:
    steps = tell(history)
    known: dict[Key, Account] = {}
    bound: dict[Key, Project] = {}
    for record in everything(steps):
        event, organization = record.event, record.organization
        if isinstance(event, ProjectEvent):
            key = organization, event.project
            bound[key] = projects.evolve(bound.get(key), event, organization, record.at)
        else:
            key = organization, event.account
            known[key] = accounts.evolve(known.get(key), event, organization, record.at)
    for step in steps[-1:]:
        # How far notices have come and whether a record was removed are no events.
        told = {
            key: replace(account, notices=known[key].notices) for key, account in step.after.accounts.items() if account
        }
        kept = {key: replace(project, tombstoned=False) for key, project in step.after.projects.items() if project}
        assert (told, kept) == (known, bound)


@law
@given(histories())
def test_the_events_of_a_subject_are_numbered_from_one_without_holes(history: History) -> None:
    numbers: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for record in everything(tell(history)):
        event = record.event
        subject = ("project", event.project) if isinstance(event, ProjectEvent) else ("account", event.account)
        numbers[record.organization, *subject].append(record.sequence)
    for sequences in numbers.values():
        assert sequences == list(range(1, len(sequences) + 1))


@law
@given(histories())
def test_at_most_one_account_pays_for_a_project_at_any_instant(history: History) -> None:
    steps = tell(history)
    paying: dict[Key, Binding] = {}
    paid: dict[Key, list[Interval]] = defaultdict(list)
    for record in everything(steps):
        event = record.event
        if isinstance(event, BindingEstablished):
            key = record.organization, event.project
            assert key not in paying
            assert event.since == record.at
            assert not paid[key] or paid[key][-1].until <= event.since
            paying[key] = Binding(event.binding, event.account, event.since, event.currency)
        if isinstance(event, BindingSuperseded | BindingReleased):
            key = record.organization, event.project
            assert paying.pop(key) == Binding(event.binding, event.account, event.since, event.currency)
            assert event.since < event.until == record.at
            end = BindingEnd.SUPERSEDED if isinstance(event, BindingSuperseded) else event.end
            paid[key].append(Interval(event.binding, event.account, event.currency, event.since, event.until, end))
    for step in steps[-1:]:
        for key, project in step.after.projects.items():
            assert (project.open if project else None) == paying.get(key)
            assert list(project.closed if project else ()) == paid[key]


@law
@given(histories())
def test_whoever_is_superseded_stops_paying_at_the_instant_at_which_the_heir_begins(history: History) -> None:
    for step in tell(history):
        for old, new in pairwise([*(record.event for record in step.recorded), None]):
            if isinstance(new, BindingEstablished) and new.supersedes:
                assert isinstance(old, BindingSuperseded)
            if isinstance(old, BindingSuperseded):
                assert isinstance(new, BindingEstablished)
                assert old.until == new.since
                assert (old.superseded_by, old.superseded_by_account) == (new.binding, new.account)
                assert (old.binding, old.account, old.currency) == (
                    new.supersedes,
                    new.previous_account,
                    new.previous_currency,
                )


@law
@given(histories())
def test_no_two_bindings_have_the_same_id(history: History) -> None:
    ids = [record.event.binding for record in everything(tell(history)) if isinstance(record.event, BindingEstablished)]

    assert len(ids) == len(set(ids))


@law
@given(histories())
def test_only_a_ready_account_is_bound_in_its_own_currency(history: History) -> None:
    for step in tell(history):
        for record in step.recorded:
            if isinstance(event := record.event, BindingEstablished):
                account = step.before.accounts[record.organization, event.account]
                assert account
                assert account.deleted_at is None
                assert (account.phase, account.currency) == (Phase.READY, event.currency)
                assert account.sequence == event.account_sequence


@law
@given(histories())
def test_an_account_pays_for_as_many_projects_as_have_it_as_their_payer(history: History) -> None:
    for step in tell(history):
        payers = [
            (project.organization, project.open.account)
            for project in step.after.projects.values()
            if project and project.open
        ]
        counted = {key: usage.active_bindings for key, usage in step.after.usage.items() if usage.active_bindings}
        assert counted == Counter(payers)


@law
@given(histories())
def test_the_last_project_left_an_account_when_its_last_interval_ended(history: History) -> None:
    for step in tell(history)[-1:]:
        ends: dict[Key, list[Interval]] = defaultdict(list)
        for project in filter(None, step.after.projects.values()):
            for interval in project.closed:
                ends[project.organization, interval.account].append(interval)
        for key in step.after.accounts:
            last = max((interval.until for interval in ends[key]), default=None)
            assert step.after.usage.get(key, Usage()).last_until == last


@law
@given(histories())
def test_a_refused_command_changes_nothing_and_says_why(history: History) -> None:
    order = list(Reason)
    for step in tell(history):
        if isinstance(step.decision, Rejected):
            assert step.before == step.after
            assert step.decision.refusals
            ranks = [order.index(refusal.reason) for refusal in step.decision.refusals]
            assert ranks == sorted(ranks)
            told = [(refusal.reason, str(refusal.details)) for refusal in step.decision.refusals]
            assert len(told) == len(set(told))


@law
@given(histories())
def test_a_command_whose_effect_is_there_moves_no_sequence(history: History) -> None:
    for step in tell(history):
        if step.decision == Accepted():
            assert step.before == step.after


@law
@given(histories())
def test_what_is_accepted_twice_in_a_row_has_no_effect_the_second_time(history: History) -> None:
    for step in tell(history):
        if step.command and isinstance(step.decision, Accepted):
            again = decide(step.after, step.command, step.at)
            assert isinstance(again, Rejected) or again == Accepted()


@law
@given(histories())
def test_the_same_log_gives_the_same_events(history: History) -> None:
    assert tell(history) == tell(history)


@law
@given(histories())
def test_nothing_of_one_organization_touches_another(history: History) -> None:
    # What falls due at another's command is named after it, so ids differ.
    def happened(steps: list[Step]) -> list[str]:
        return [ID.sub("", repr(record)) for record in everything(steps) if record.organization == organization]

    together = tell(history, NOTICES_MAX)
    for organization in ORGANIZATIONS:
        alone = [None if isinstance(entry, Sent) and entry.organization != organization else entry for entry in history]
        assert happened(tell(alone, NOTICES_MAX)) == happened(together)


@law
@given(histories())
def test_a_book_that_is_told_what_happened_stands_where_the_first_one_stood(history: History) -> None:
    steps = tell(history)
    book = Book(INSTALLATION, Rules())
    for step in steps:
        book.rules = step.rules
        for key in step.after.accounts:
            book.accounts.setdefault(key, None)
        for key in step.after.projects:
            book.projects.setdefault(key, None)
        for record in (*step.due, *step.recorded):
            assert book.record(record.organization, [record.event], record.at) == [record]
        for key in step.after.progressed:
            book.progress(key, notices_of(step.after.accounts[key]))
        for key in step.after.tombstoned:
            book.tombstone(key)
        assert (book.accounts, book.projects, book.usage) == (
            step.after.accounts,
            step.after.projects,
            step.after.usage,
        )


def notices_of(account: Account | None) -> Notices | None:
    return account.notices if account else None
