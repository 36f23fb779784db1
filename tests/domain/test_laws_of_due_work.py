"""Laws about what time alone brings about, and about what others tell of projects."""

from collections import defaultdict
from itertools import groupby

from hypothesis import given

from tests.domain.due_work import accounts_due, projects_due
from tests.domain.histories import History, everything, histories, known_accounts, law, tell
from worker.domain.book import Key
from worker.domain.due import account_due_at
from worker.domain.events import (
    HoldPlaced,
    PayerAtRisk,
    PayerRestored,
    PhaseChanged,
    ProjectDeleted,
    ProjectEvent,
)
from worker.domain.values import HOLDS_MAX, Phase


@law
@given(histories())
def test_a_command_finds_nothing_overdue_but_notices(history: History) -> None:
    for step in tell(history):
        for key in accounts_due(step.before, step.at):
            account = step.before.accounts[key]
            assert account
            assert account.notices
            assert account_due_at(account) == account.phase_since
        assert projects_due(step.before, step.at) == []


@law
@given(histories())
def test_what_falls_due_changes_the_phase_of_an_account_once_and_last(history: History) -> None:
    ranks = {HoldPlaced: 1, PhaseChanged: 2}
    for step in tell(history):
        of_accounts = [record for record in step.due if not isinstance(record.event, ProjectEvent)]
        for _, group in groupby(of_accounts, key=lambda record: (record.organization, record.event.account)):  # type: ignore[union-attr]
            order = [ranks.get(type(record.event), 0) for record in group]
            assert order == sorted(order)
            assert order.count(2) <= 1


@law
@given(histories())
def test_what_falls_due_only_ever_suspends(history: History) -> None:
    for step in tell(history):
        for record in step.due:
            if isinstance(record.event, PhaseChanged):
                assert record.event.entered is Phase.SUSPENDED


@law
@given(histories())
def test_a_project_is_at_risk_if_and_only_if_its_payer_is_suspended_once_all_are_told(history: History) -> None:
    for step in tell(history):
        for project in filter(None, step.after.projects.values()):
            payer = step.after.payer_of(project)
            if payer is None:
                assert not project.at_risk
            elif payer.notices is None:
                assert project.at_risk == (payer.phase is Phase.SUSPENDED)


@law
@given(histories())
def test_notices_of_a_project_and_its_payer_take_turns(history: History) -> None:
    told: dict[tuple[str, str, str], list[bool]] = defaultdict(list)
    for record in everything(tell(history)):
        event = record.event
        if isinstance(event, PayerRestored):
            assert told[record.organization, event.project, event.account][-1]
        if isinstance(event, PayerAtRisk | PayerRestored):
            told[record.organization, event.project, event.account].append(isinstance(event, PayerAtRisk))
            expected = Phase.SUSPENDED if isinstance(event, PayerAtRisk) else Phase.READY
            assert event.phase is expected
            assert bool(event.reasons) == isinstance(event, PayerAtRisk)


@law
@given(histories())
def test_suspensions_to_come_are_one_for_a_reason_in_the_order_in_which_they_begin(history: History) -> None:
    for step in tell(history):
        for account in known_accounts(step.after):
            entries = [(entry.due_at, entry.reason) for entry in account.scheduled]
            assert entries == sorted(entries)
            assert len({reason for _, reason in entries}) == len(entries)
            assert len(account.holds) + len(entries) <= HOLDS_MAX
            assert not (entries and (account.deleted_at or account.phase is Phase.ARCHIVED))


@law
@given(histories())
def test_nothing_happens_to_a_deleted_project(history: History) -> None:
    deleted: set[Key] = set()
    for record in everything(tell(history)):
        if isinstance(event := record.event, ProjectEvent):
            assert (record.organization, event.project) not in deleted
            if isinstance(event, ProjectDeleted):
                deleted.add((record.organization, event.project))


@law
@given(histories())
def test_a_deleted_or_unbound_project_is_not_locked(history: History) -> None:
    for step in tell(history):
        for project in filter(None, step.after.projects.values()):
            assert project.open or not project.locked
            assert not (project.open and project.deleted_at)
