"""Commands of every kind, about few subjects: much is refused, much falls due soon, some come twice."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Any, NamedTuple

import orjson

from tests.simulation.logs import Content
from tests.simulation.world import BEGINNING
from worker.wire.partitions import partition_of
from worker.wire.ticks import tick

Data = dict[str, Any]

ACCOUNTS = ("amber", "beryl", "coral")
PROJECTS = ("p-1", "p-2", "p-3", "p-4", "p-5")
REASONS = ("NON_PAYMENT", "FRAUD_SUSPECTED", "ADMINISTRATIVE")
ACTORS = ("ops@example.com", "lead@example.com")


class Sent(NamedTuple):
    """A command, when and to which partition it is sent. `transaction` is that of its publisher, if any."""

    at: float
    partition: int
    content: Content
    transaction: int | None


def organizations_of(partitions: int) -> list[str]:
    """Two for each partition."""
    found: dict[int, list[str]] = {partition: [] for partition in range(partitions)}
    for number in count():
        name = f"org-{number}"
        lane = found[partition_of(name, partitions)]
        if len(lane) < 2:
            lane.append(name)
        if all(len(names) == 2 for names in found.values()):
            return [name for names in found.values() for name in names]
    raise AssertionError


class Commands:
    """A history's commands."""

    def __init__(self, random: Random, partitions: int) -> None:
        self._random = random
        self._partitions = partitions
        self._organizations = organizations_of(partitions)
        self._earlier: list[tuple[int, Content]] = []
        self._number = 0

    def draw(self, seconds: float) -> list[Sent]:
        """Commands over so many seconds, in bursts."""
        random = self._random
        sent: list[Sent] = []
        transactions = count()
        for at in sorted(random.uniform(0.0, seconds) for _ in range(random.randint(4, 12))):
            transaction = next(transactions) if random.random() < 0.06 else None
            place = at
            for _ in range(random.randint(2, 6)):
                partition, content = self._next(place)
                sent.append(Sent(place, partition, content, transaction))
                place += random.choice((0.0, 0.0, 0.002, 0.02))
        return sent

    def _next(self, at: float) -> tuple[int, Content]:
        random = self._random
        if self._earlier and random.random() < 0.07:
            partition, content = random.choice(self._earlier)
            return partition, content
        self._number += 1
        organization = random.choice(self._organizations)
        partition = partition_of(organization, self._partitions)
        drawn = random.random()
        if drawn < 0.02:
            return partition, Content(organization.encode(), random.randbytes(12), (("x", b"\xff"), ("y", None)), 0)
        if drawn < 0.04:
            forged = tick(f"forged-{self._number}", "somebody")
            return partition, Content(forged.key, forged.value, forged.headers, 0)
        key, id_ = organization, f"c-{self._number}"
        if drawn < 0.05:
            key = "somebody-else"
        elif drawn < 0.08:
            partition = (partition + 1) % self._partitions
        elif drawn < 0.11:
            id_ = f"c-{1 + random.randrange(self._number)}"
        content = Content(key.encode(), orjson.dumps(self._command(organization, id_, at)), (), 0)
        self._earlier.append((partition, content))
        return partition, content

    def _command(self, organization: str, id_: str, at: float) -> Data:
        random = self._random
        kind, make = random.choices(KINDS, WEIGHTS)[0]
        command: Data = {
            "specversion": "1.0",
            "id": id_,
            "source": "simulation",
            "type": f"billing.{kind}.v1",
            "organization": organization,
            "actor": ACTORS[int(random.random() * 2)],
            "data": make(random, BEGINNING + timedelta(seconds=at)),
        }
        if random.random() < 0.03:
            command["dryrun"] = True
        return command


def _account(random: Random, _: datetime) -> Data:
    return {"account": random.choice(ACCOUNTS)}


def _project(random: Random, _: datetime) -> Data:
    return {"project": random.choice(PROJECTS)}


def _soon(random: Random, now: datetime) -> str:
    return (now + timedelta(seconds=random.uniform(0.2, 2.5))).isoformat(timespec="microseconds")


def _profile(random: Random, now: datetime) -> Data:
    profile: Data = {"type": "card", "externalId": f"pm-{random.randrange(2)}"}
    if random.random() < 0.9:
        profile["status"] = "Valid"
    if random.random() < 0.3:
        profile["validUntil"] = _soon(random, now)
    return profile


def _create(random: Random, now: datetime) -> Data:
    return _account(random, now) | {"currency": "EUR", "paymentProfile": _profile(random, now)}


def _attach(random: Random, now: datetime) -> Data:
    return _account(random, now) | {"paymentProfile": _profile(random, now)}


def _report(random: Random, now: datetime) -> Data:
    data = _account(random, now) | {"externalId": f"pm-{random.randrange(2)}"}
    return data | ({"status": "Valid"} if random.random() < 0.7 else {"status": "Invalid", "cause": "Declined"})


def _suspend(random: Random, now: datetime) -> Data:
    return _account(random, now) | {"reason": random.choice(REASONS), "message": "Because."}


def _schedule(random: Random, now: datetime) -> Data:
    return _suspend(random, now) | {"dueAt": _soon(random, now)}


def _reactivate(random: Random, now: datetime) -> Data:
    return _account(random, now) | {"all": True, "approval": {"by": ACTORS[1], "reference": "T-1"}}


def _archive(random: Random, now: datetime) -> Data:
    settled = {"reference": "S-1", "settledThrough": now.isoformat()}
    return _account(random, now) | {"settlement": settled, "approval": {"by": ACTORS[1], "reference": "T-1"}}


def _bind(random: Random, now: datetime) -> Data:
    return _project(random, now) | _account(random, now)


def _move(random: Random, _: datetime) -> Data:
    source, target = random.sample(ACCOUNTS, 2)
    return {"from": source, "to": target}


def _with_note(random: Random, now: datetime) -> Data:
    return _project(random, now) | {"note": "Because."}


def _rename(random: Random, now: datetime) -> Data:
    return _account(random, now) | {"displayName": f"Name {random.randrange(3)}"}


_WEIGHED: dict[str, tuple[float, Callable[[Random, datetime], Data]]] = {
    "account.create": (14, _create),
    "account.update": (2, _rename),
    "account.attach-payment-profile": (4, _attach),
    "account.report-payment-profile": (5, _report),
    "account.suspend": (4, _suspend),
    "account.schedule-suspension": (3, _schedule),
    "account.reactivate": (7, _reactivate),
    "account.archive": (0.7, _archive),
    "account.delete": (0.7, _account),
    "account.move-projects": (4, _move),
    "project.bind": (36, _bind),
    "project.unbind": (7, _project),
    "project.lock": (1.5, _with_note),
    "project.unlock": (1.5, _with_note),
    "project.register": (2, _project),
    "project.delete": (2, _project),
}
KINDS = tuple((kind, make) for kind, (_, make) in _WEIGHED.items())
WEIGHTS = tuple(weight for weight, _ in _WEIGHED.values())
