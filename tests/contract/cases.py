"""Cases as tables: commands with their outcomes, published together, then looked at one by one."""

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

from aiokafka import ConsumerRecord

from tests.system.deployment import Deployment

Message = dict[str, Any]

ACTOR = "ops@example.com"
APPROVAL = {"by": "lead@example.com", "reference": "T-1"}
VALID = {"type": "card", "externalId": "pm-1", "status": "Valid"}
PENDING = {"type": "card", "externalId": "pm-1"}

ACTIVATED = "created >Provisioning >Ready"
CREATED = "created >Provisioning"
BOUND = "registered established"
MOVED = "superseded established"
NOBODY = "released payer-missing"


@dataclass(frozen=True)
class Step:
    """A command, and how it is answered.

    `outcome`: last words of the events' types in order, a phase change as `>Phase`; or the codes, sorted; `|` between
    readings that the contract leaves open; `dry:` or `again:` before an evaluated or a repeated one; `*` for any.
    """

    word: str
    outcome: str
    data: Any
    envelope: Message = field(default_factory=dict)

    def but(self, **envelope: Any) -> "Step":
        """The same with other attributes; None leaves one out."""
        return replace(self, envelope=self.envelope | envelope)


@dataclass(frozen=True)
class Then:
    """A pause: everything before it is answered before anything after it is published."""

    seconds: float = 0


def do(kind: str, expect: str, /, **data: Any) -> Step:
    """A command. A trailing underscore makes a field of a Python keyword."""
    return Step(kind, expect, {name.rstrip("_"): value for name, value in data.items()})


def ready(account: str = "a", currency: str = "EUR", **data: Any) -> Step:
    """An account that is Ready at once."""
    profile = data.pop("paymentProfile", VALID)
    return do("account.create", ACTIVATED, account=account, currency=currency, paymentProfile=profile, **data)


def bind(project: str = "p", account: str = "a", expect: str = BOUND, **data: Any) -> Step:
    return do("project.bind", expect, project=project, account=account, **data)


def suspend(expect: str, account: str = "a", reason: str = "NON_PAYMENT", **data: Any) -> Step:
    return do("account.suspend", expect, **{"account": account, "reason": reason, "message": "So."} | data)


def reactivate(expect: str, account: str = "a", **data: Any) -> Step:
    return do("account.reactivate", expect, account=account, approval=APPROVAL, **data)


def soon(seconds: float) -> Callable[["Seen"], str]:
    """An instant so long after the publication."""
    return lambda _: (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="microseconds")


def at(number: int) -> Callable[["Seen"], str]:
    """The instant of an earlier round's command."""
    return lambda seen: str(seen.results[number]["time"])


def case(*steps: Step | Then) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """What is published for a test, under an organization named after it."""

    def register(test: Callable[..., None]) -> Callable[..., None]:
        test.steps = steps  # type: ignore[attr-defined]
        return test

    return register


def organization(test: Callable[..., None]) -> str:
    return re.sub("[^a-z0-9]+", "-", test.__name__.removeprefix("test_"))[:60].strip("-")


@dataclass
class Seen:
    """What the outside saw of one organization."""

    organization: str
    results: list[Message] = field(default_factory=list)
    events: list[Message] = field(default_factory=list)
    states: dict[str, list[Message | None]] = field(default_factory=lambda: defaultdict(list))

    def of(self, word: str, subject: str = "") -> list[Message]:
        """Data of all events of a type (last words of it), of a subject's last part."""
        return [
            event["data"]
            for event in self.events
            if event["type"].removeprefix("billing.").removesuffix(".v1").endswith(word)
            and event["subject"].endswith(f"/{subject}" if subject else "")
        ]

    def one(self, word: str, subject: str = "") -> Message:
        """Data of the only such event."""
        (data,) = self.of(word, subject)
        return data

    def state(self, name: str) -> Message:
        """The newest compacted record of an account or a project."""
        newest = self.states[name][-1]
        assert newest is not None
        data: Message = newest["data"]
        return data

    def phases(self, account: str = "a") -> list[tuple[str | None, str, str]]:
        return [(each["from"], each["to"], each["reason"]) for each in self.of("phase-changed", account)]

    def reasons(self, number: int) -> list[Message]:
        found: list[Message] = self.results[number]["data"]["reasons"]
        return found

    def details(self, number: int) -> Message:
        """The details of the only reason of a rejection."""
        (reason,) = self.reasons(number)
        details: Message = reason["details"]
        return details

    def paths(self, number: int) -> list[str]:
        return sorted(reason["details"].get("path", "none") for reason in self.reasons(number))

    def outcome(self, number: int) -> str:
        """What was answered, written as a step's outcome."""
        if number >= len(self.results):
            return "no result"
        result = self.results[number]
        data = result["data"]
        known = {event["id"]: event for event in self.events}
        if data.get("reasons"):
            said = " ".join(sorted(reason["code"] for reason in data["reasons"]))
        else:
            said = " ".join(_word(known.get(event["id"], event)) for event in data["events"])
        dry = "dry: " if result["type"] == "billing.command.evaluated.v1" else ""
        return (dry + ("again: " if data.get("duplicate") else "") + said).strip()


def _word(event: Message) -> str:
    word: str = event["type"].split(".")[-2]
    if word == "phase-changed" and "data" in event:
        return f">{event['data']['to']}"
    return "project-deleted" if event["type"] == "billing.project.deleted.v1" else word


@dataclass
class Told:
    """Everything that a module's cases brought about."""

    deployment: Deployment
    topics: dict[str, list[ConsumerRecord]] = field(default_factory=dict)
    seen: dict[str, Seen] = field(default_factory=dict)
    sent: dict[str, Message] = field(default_factory=dict)
    """Commands by organization and id; the first of each."""

    async def look(self) -> None:
        """Read all topics."""
        self.seen = defaultdict_of_seen()
        for topic in ("command_results", "account_events", "binding_events", "accounts", "payers", "horizons"):
            self.topics[topic] = await self.deployment.read(topic)
        for topic, records in self.topics.items():
            for record in records:
                name, _, subject = (record.key or b"").decode().partition("/")
                message = json.loads(record.value) if record.value is not None else None
                seen = self.seen[name]
                if topic == "command_results":
                    seen.results.append(message or {})
                elif topic.endswith("events"):
                    seen.events.append(message or {})
                else:
                    seen.states[subject].append(message)


class defaultdict_of_seen(dict[str, Seen]):  # noqa: N801 - a dictionary like the standard one
    def __missing__(self, name: str) -> Seen:
        self[name] = Seen(name)
        return self[name]


async def tell(told: Told, module: ModuleType, settle_seconds: float) -> None:
    """Publish what all cases of a module say, round after round, and read everything."""
    tests = [test for test in vars(module).values() if hasattr(test, "steps")]
    names = [organization(test) for test in tests]
    assert len(names) == len(set(names)), "two cases would share an organization"
    rounds = max((sum(isinstance(step, Then) for step in test.steps) for test in tests), default=0) + 1
    for turn in range(rounds):
        if turn:
            await asyncio.sleep(max(_pause(test.steps, turn) for test in tests))
            await told.look()
        await told.deployment.publish_many(
            (name, _written(told, name, number, step))
            for name, test in zip(names, tests, strict=True)
            for number, step in _of_turn(test.steps, turn)
        )
        if getattr(module, "WAITS", True):
            with suppress(AssertionError):  # what is missing shows case by case
                await told.deployment.answers(30)
    await asyncio.sleep(settle_seconds)
    await told.look()


def _pause(steps: tuple[Step | Then, ...], turn: int) -> float:
    pauses = [step.seconds for step in steps if isinstance(step, Then)]
    return pauses[turn - 1] if len(pauses) >= turn else 0


def _of_turn(steps: tuple[Step | Then, ...], turn: int) -> list[tuple[int, Step]]:
    found, current, number = [], 0, 0
    for step in steps:
        if isinstance(step, Then):
            current += 1
        else:
            if current == turn:
                found.append((number, step))
            number += 1
    return found


def _written(told: Told, name: str, number: int, step: Step) -> bytes:
    envelope = {
        "specversion": "1.0",
        "id": f"{number}",
        "source": "tests",
        "type": step.word if step.word.startswith("billing.") else f"billing.{step.word}.v1",
        "organization": name,
        "actor": ACTOR,
        "data": _resolved(step.data, told.seen.get(name, Seen(name))),
    } | step.envelope
    envelope = {attribute: value for attribute, value in envelope.items() if value is not None}
    told.sent.setdefault(f"{name}/{envelope['id']}", envelope)
    return json.dumps(envelope).encode()


def _resolved(value: Any, seen: Seen) -> Any:
    if callable(value):
        return value(seen)
    if isinstance(value, dict):
        return {name: _resolved(each, seen) for name, each in value.items()}
    return value
