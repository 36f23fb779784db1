"""The rules and a naive second reading of the contract agree on every outcome, every event and every answer."""

import re
from dataclasses import asdict, fields, is_dataclass
from datetime import timedelta
from typing import Any

from hypothesis import given, settings

from tests.domain.given import HASTY
from tests.domain.histories import History, Step, histories, tell
from tests.domain.oracle import Oracle
from worker.domain.book import Book, Recorded
from worker.domain.commands import KEEP, Action
from worker.domain.decision import Rejected
from worker.domain.due import NOTICES_MAX
from worker.domain.events import ProjectEvent
from worker.domain.projects import Project
from worker.domain.values import MICROSECOND, Instant, Rules
from worker.wire.events import FORMS
from worker.wire.refusals import reason

SECOND = timedelta(seconds=1)
OWN_ID = re.compile(r"~\d+|[0-9a-f]{8}-[0-9a-f-]{27}")


@settings(max_examples=250, deadline=None)
@given(histories())
def test_the_rules_and_the_oracle_agree(history: History) -> None:
    oracle, steps = Oracle(as_rules(HASTY)), iter(tell(history, NOTICES_MAX))
    names: dict[str, str] = {}
    naive_names: dict[str, str] = {}
    answers: dict[tuple[str, str, Instant], str | None] = {}
    for entry in history:
        if isinstance(entry, Rules):
            oracle.rules = as_rules(entry)
            continue
        step = next(steps)
        if step.command is None:
            naive: dict[str, list[Any]] = {"due": oracle.tick(step.at), "events": [], "refused": []}
        else:
            kind, data = as_message(step.command.action)
            naive = oracle.send(
                step.command.organization, kind, data, step.command.actor, step.command.expected_version, step.at
            )
        assert named(as_written(step.due), names) == named(naive["due"], naive_names)
        assert named(as_written(step.recorded), names) == named(naive["events"], naive_names)
        assert refusals_of(step, naive["refused"]) == sorted(naive["refused"], key=str)
        assert standing(step.after) == naive_standing(oracle)
        assert_answers_are_final(step, oracle, answers)


def assert_answers_are_final(step: Step, oracle: Oracle, answers: dict[tuple[str, str, Instant], str | None]) -> None:
    """No answer that was ever given changes, and the new ones are the oracle's."""
    for (organization, id_, t), answer in answers.items():
        assert payer_at(step.after.projects[organization, id_], t) == answer
    for (organization, id_), project in step.after.projects.items():
        for t in (step.at - SECOND, step.at - MICROSECOND, step.at):
            answer = payer_at(project, t)
            assert answer == oracle.payer(organization, id_, t)
            answers[organization, id_, t] = answer


def payer_at(project: Project | None, t: Instant) -> str | None:
    """Who paid for a project at an instant."""
    if project is None:
        return None
    if project.open is not None and project.open.since <= t:
        return project.open.account
    return next((interval.account for interval in project.closed if interval.since <= t < interval.until), None)


def standing(book: Book) -> dict[tuple[str, str, str], object]:
    accounts: dict[tuple[str, str, str], object] = {
        ("account", *key): (account.phase, account.sequence, len(account.holds), len(account.scheduled))
        for key, account in book.accounts.items()
        if account
    }
    projects: dict[tuple[str, str, str], object] = {
        ("project", *key): (project.open and project.open.account, project.sequence, project.locked, project.at_risk)
        for key, project in book.projects.items()
        if project
    }
    return accounts | projects


def naive_standing(oracle: Oracle) -> dict[tuple[str, str, str], object]:
    known: dict[tuple[str, str, str], object] = {}
    for key, account in oracle.accounts.items():
        scheduled = [] if account["deleted"] else account["scheduled"]
        known["account", *key] = (account["phase"], account["seq"], len(account["holds"]), len(scheduled))
    for key, project in oracle.projects.items():
        binding = oracle.open_binding(project)
        payer = binding["account"] if binding else None
        known["project", *key] = (payer, project["seq"], project["locked"], project["at_risk"])
    return known


def refusals_of(step: Step, naive: list[Any]) -> list[tuple[str, object]]:
    """Codes, and details where the oracle has some."""
    if not isinstance(step.decision, Rejected):
        return []
    told = {code for code, details in naive if details is not None}
    reasons = [reason(refusal) for refusal in step.decision.refusals]
    return sorted(((r["code"], r["details"] if r["code"] in told else None) for r in reasons), key=str)


def as_rules(rules: Rules) -> dict[str, Any]:
    return {**asdict(rules), "strict": rules.strict_registry, "profile_required": rules.payment_profile_required}


def as_message(action: Action) -> tuple[str, dict[str, Any]]:
    """A command by its name, without what was absent."""
    kind = re.sub(r"(?<!^)([A-Z])", r"_\1", type(action).__name__).lower()
    given_ = {field.name: getattr(action, field.name) for field in fields(action)}
    return kind, {
        name: asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
        for name, value in given_.items()
        if value is not KEEP
    }


def as_written(recorded: list[Recorded]) -> list[dict[str, Any]]:
    """Events as the contract writes them."""
    written = []
    for record in recorded:
        event, form = record.event, FORMS[type(record.event)]
        subject = f"projects/{record.organization}/{event.project}" if isinstance(event, ProjectEvent) else None
        if not isinstance(event, ProjectEvent):
            subject = f"accounts/{record.organization}/{event.account}"
        written.append({"type": form.type, "subject": subject, "sequence": record.sequence, "data": form.data(event)})
    return written


def named(value: Any, names: dict[str, str]) -> Any:
    """The same with every id named by the order in which it came up."""
    match value:
        case str() if OWN_ID.fullmatch(value):
            return names.setdefault(value, f"id {len(names)}")
        case dict():
            return {name: named(inner, names) for name, inner in value.items()}
        case list() | tuple():
            return [named(inner, names) for inner in value]
        case _:
            return value
