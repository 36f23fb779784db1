"""The rules and a naive second reading of the contract agree on every outcome, every event and every answer."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import asdict, fields, is_dataclass
from datetime import timedelta
from random import Random
from typing import Any, get_args

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.given import HASTY, reactivate
from tests.domain.histories import ACTIONS, OPENED, POOL, UNPAID, History, Sent, Step, histories, tell
from tests.domain.oracle import Oracle
from tests.domain.test_coverage_of_the_contract import BEFORE_THE_RULES
from worker.domain.book import Book, Recorded
from worker.domain.commands import KEEP, Action, ReactivateAccount
from worker.domain.decision import Reason, Rejected
from worker.domain.due import NOTICES_MAX
from worker.domain.events import Event, PhaseChanged, ProjectEvent
from worker.domain.projects import Project
from worker.domain.values import MICROSECOND, PROFILE_HOLDS, HoldReason, Instant, Rules
from worker.wire.events import FORMS
from worker.wire.refusals import reason
from worker.wire.states import account_state, payer_state

SECOND = timedelta(seconds=1)
Question = tuple[str, str, Instant]
OWN_ID = re.compile(r"~\d+|[0-9a-f]{8}-[0-9a-f-]{27}")


CHANGES: Mapping[tuple[str | None, str], AbstractSet[str]] = {
    (None, "Provisioning"): {"CREATED"},
    ("Provisioning", "Ready"): {"ACTIVATED"},
    ("Provisioning", "Suspended"): set(HoldReason) - PROFILE_HOLDS,
    ("Provisioning", "Archived"): {"CLOSED"},
    ("Ready", "Suspended"): set(HoldReason),
    ("Ready", "Archived"): {"CLOSED"},
    ("Suspended", "Ready"): {"ACTIVATED", "REACTIVATED"},
    ("Suspended", "Provisioning"): {"REACTIVATED"},
    ("Suspended", "Archived"): {"CLOSED"},
}
"""Every way from phase to phase, and the reasons for it; there is no other."""
NOT_IN_HISTORIES = {
    HoldReason.SPENDING_LIMIT_REACHED,
    HoldReason.POLICY_VIOLATION,
    HoldReason.COMPLIANCE_HOLD,
    HoldReason.CUSTOMER_REQUESTED,
}
"""Like others of their kind: histories are about few reasons, so that holds meet."""
ROLES = {"account", "source", "target"}
STANDINGS = {"nobody", "Provisioning", "Ready", "Suspended", "Archived", "deleted"}

KINDS = [
    [
        *(action for action in ACTIONS if isinstance(action, kind)),
        *(reactivate(reason=reason) for reason in sorted(PROFILE_HOLDS) if kind is ReactivateAccount),
    ]
    for kind in get_args(Action)
]


def drawn(seed: int) -> History:
    """A history that begins with accounts which are Ready, which are not yet, or with none; each kind is as likely."""
    random = Random(seed)  # noqa: S311 - no secret
    even = [Sent("acme", random.choice(random.choice(KINDS))) for _ in range(80)]
    return [*(OPENED, UNPAID, ())[seed % 3], *(random.choice((each, random.choice(POOL))) for each in even)]


@settings(max_examples=250, deadline=None)
@given(histories() | st.integers(min_value=0).map(drawn))
def test_the_rules_and_the_oracle_agree(history: History) -> None:
    check_agreement(history)


def test_the_rules_and_the_oracle_agree_on_every_code_every_event_and_every_command_in_every_phase() -> None:
    steps = [step for seed in range(150) for step in check_agreement(drawn(seed))]
    recorded = [record.event for step in steps for record in (*step.due, *step.recorded)]
    refused = [refusal for step in steps if isinstance(step.decision, Rejected) for refusal in step.decision.refusals]
    changes: dict[tuple[str | None, str], set[str]] = defaultdict(set)
    for event in recorded:
        if isinstance(event, PhaseChanged):
            changes[event.left, event.entered].add(event.reason)

    assert {refusal.reason for refusal in refused} == set(Reason) - BEFORE_THE_RULES
    assert {type(event) for event in recorded} == set(get_args(Event))
    assert changes == {change: reasons - NOT_IN_HISTORIES for change, reasons in CHANGES.items()}
    assert {cell for step in steps for cell in cells_of(step)} == {
        (kind, role, standing)
        for kind in get_args(Action)
        for role in ROLES & {field.name for field in fields(kind)}
        for standing in STANDINGS
    }


def cells_of(step: Step) -> Iterator[tuple[type[Action], str, str]]:
    """Which command met an account in which phase, by the part that the account has in it."""
    if step.command is None:
        return
    for role in ROLES & {field.name for field in fields(step.command.action)}:
        account = step.before.accounts[step.command.organization, getattr(step.command.action, role)]
        standing = "nobody" if account is None else "deleted" if account.deleted_at else account.phase.value
        yield type(step.command.action), role, standing


def check_agreement(history: History) -> list[Step]:
    """What the rules made of a history, once it is certain that the oracle makes the same of it."""
    oracle, told = Oracle(as_rules(HASTY)), tell(history, NOTICES_MAX)
    names: dict[str, str] = {}
    naive_names: dict[str, str] = {}
    answers: dict[Question, str | None] = {}
    asked_again = 0
    steps = iter(told)
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
        expected = sorted(naive["refused"], key=code_of)
        assert named(refusals_of(step, expected), names) == named(expected, naive_names)
        if step.due or step.recorded or step is told[-1]:
            assert named(standing(step.after), names) == named(naive_standing(oracle), naive_names)
        answers |= dict(new_answers(step, oracle))
        if len(answers) > asked_again or step is told[-1]:
            asked_again = 2 * len(answers)
            for (organization, id_, t), answer in answers.items():  # none that was ever given changes
                assert payer_at(step.after.projects[organization, id_], t) == answer
    return told


def new_answers(step: Step, oracle: Oracle) -> Iterator[tuple[Question, str | None]]:
    """Who paid around the instant of a step: the oracle says the same."""
    for (organization, id_), project in step.after.projects.items():
        for t in (step.at - SECOND, step.at - MICROSECOND, step.at):
            answer = payer_at(project, t)
            assert answer == oracle.payer(organization, id_, t)
            yield (organization, id_, t), answer


def payer_at(project: Project | None, t: Instant) -> str | None:
    """Who paid for a project at an instant."""
    if project is None:
        return None
    if project.open is not None and project.open.since <= t:
        return project.open.account
    return next((interval.account for interval in project.closed if interval.since <= t < interval.until), None)


def standing(book: Book) -> dict[tuple[str, str, str], Any]:
    """Accounts and projects as their compacted topics have them, and which projects were told of a risk."""
    accounts = {("account", *key): account_state(account) for key, account in book.accounts.items() if account}
    projects = {
        ("project", *key): (json.loads(orjson.dumps(payer_state(project))), project.at_risk)
        for key, project in book.projects.items()
        if project
    }
    return {**accounts, **projects}


def naive_standing(oracle: Oracle) -> dict[tuple[str, str, str], Any]:
    accounts = {("account", *key): oracle.account_state(account) for key, account in oracle.accounts.items()}
    projects = {
        ("project", *key): (oracle.payer_state(project), project["at_risk"]) for key, project in oracle.projects.items()
    }
    return {**accounts, **projects}


def refusals_of(step: Step, naive: list[Any]) -> list[tuple[str, object]]:
    """Codes, and details where the oracle has some."""
    if not isinstance(step.decision, Rejected):
        return []
    told = {code for code, details in naive if details is not None}
    reasons = [reason(refusal) for refusal in step.decision.refusals]
    return sorted(((r["code"], r["details"] if r["code"] in told else None) for r in reasons), key=code_of)


def code_of(refusal: tuple[str, object]) -> str:
    return refusal[0]


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
