"""Random commands of every kind, from a seed: many are refused, some take effect, a few are sent twice."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

ACCOUNTS = ("amber", "beryl", "coral")
PROJECTS = tuple(f"p-{number}" for number in range(12))
REASONS = ("NON_PAYMENT", "FRAUD_SUSPECTED", "ADMINISTRATIVE")
SOON = timedelta(seconds=2)

Data = dict[str, Any]


def traffic(seed: int, organizations: tuple[str, ...], count: int) -> Iterator[tuple[str, bytes]]:
    """Organization and command, `count` times. Instants lie around the time of the call, so that work falls due."""
    random = Random(seed)  # noqa: S311 - repeatable, not secret
    earlier: list[tuple[str, bytes]] = []
    for number in range(count):
        if earlier and random.random() < 0.02:
            yield random.choice(earlier)
            continue
        organization = random.choice(organizations)
        kind = random.choices(list(_KINDS), [weight for weight, _ in _KINDS.values()])[0]
        envelope: Data = {
            "specversion": "1.0",
            "id": f"c-{seed}-{number}",
            "source": "tests",
            "type": f"billing.{kind}.v1",
            "organization": organization,
            "actor": random.choice(("ops@example.com", "lead@example.com")),
            "data": _KINDS[kind][1](random),
        }
        if random.random() < 0.03:
            envelope["dryrun"] = True
        if kind.startswith("account.") and random.random() < 0.03:
            envelope["expectedversion"] = random.randrange(6)
        command = organization, json.dumps(envelope).encode()
        earlier.append(command)
        yield command


def _account(random: Random) -> Data:
    return {"account": random.choice(ACCOUNTS)}


def _project(random: Random) -> Data:
    return {"project": random.choice(PROJECTS)}


def _profile(random: Random) -> Data:
    profile: Data = {"type": "card", "externalId": f"pm-{random.randrange(3)}"}
    if random.random() < 0.8:
        profile["status"] = "Valid"
    if random.random() < 0.3:
        profile["validUntil"] = _instant(random)
    return profile


def _instant(random: Random) -> str:
    return (datetime.now(UTC) + SOON * random.uniform(0.5, 2)).isoformat(timespec="microseconds")


def _approval(_random: Random) -> Data:
    return {"approval": {"by": "lead@example.com", "reference": "T-1"}}


def _create(random: Random) -> Data:
    return _account(random) | {"currency": random.choice(("EUR", "USD")), "paymentProfile": _profile(random)}


def _report(random: Random) -> Data:
    data = _account(random) | {"externalId": f"pm-{random.randrange(3)}"}
    if random.random() < 0.6:
        return data | {"status": "Valid"}
    return data | {"status": "Invalid", "cause": random.choice(("Expired", "Declined"))}


def _suspend(random: Random) -> Data:
    data = _account(random) | {"reason": random.choice(REASONS), "message": "Because."}
    return data | ({"hold": random.choice(("h-1", "h-2"))} if random.random() < 0.3 else {})


def _schedule(random: Random) -> Data:
    return _account(random) | {"reason": random.choice(REASONS), "message": "Because.", "dueAt": _instant(random)}


def _reactivate(random: Random) -> Data:
    selector: Data = {"all": True} if random.random() < 0.6 else {"reason": random.choice(REASONS)}
    return _account(random) | selector | _approval(random)


def _archive(random: Random) -> Data:
    settled = {"reference": "S-1", "settledThrough": datetime.now(UTC).isoformat()}
    return _account(random) | _approval(random) | ({"settlement": settled} if random.random() < 0.7 else {})


def _bind(random: Random) -> Data:
    data = _project(random) | _account(random)
    return data | ({"onExisting": "reject"} if random.random() < 0.1 else {})


def _move(random: Random) -> Data:
    source, target = random.sample(ACCOUNTS, 2)
    data: Data = {"from": source, "to": target}
    if random.random() < 0.4:
        data["projects"] = random.sample(PROJECTS, 3)
    return data


def _with_note(random: Random) -> Data:
    return _project(random) | {"note": "Because."}


_KINDS: dict[str, tuple[float, Callable[[Random], Data]]] = {
    "account.create": (6, _create),
    "account.update": (2, lambda random: _account(random) | {"displayName": f"Name {random.randrange(3)}"}),
    "account.change-currency": (1, lambda random: _account(random) | {"currency": "EUR"}),
    "account.change-payment-terms": (
        1,
        lambda random: _account(random) | {"paymentTerms": {"netDays": random.randrange(1, 60)}},
    ),
    "account.attach-payment-profile": (5, lambda random: _account(random) | {"paymentProfile": _profile(random)}),
    "account.report-payment-profile": (6, _report),
    "account.detach-payment-profile": (1, _account),
    "account.suspend": (3, _suspend),
    "account.schedule-suspension": (2, _schedule),
    "account.cancel-suspension": (1, lambda random: _account(random) | {"reason": random.choice(REASONS)}),
    "account.reactivate": (8, _reactivate),
    "account.archive": (0.3, _archive),
    "account.delete": (0.3, _account),
    "account.move-projects": (2, _move),
    "project.bind": (30, _bind),
    "project.unbind": (5, _project),
    "project.lock": (1, _with_note),
    "project.unlock": (2, _with_note),
    "project.register": (2, _project),
    "project.delete": (0.3, _project),
}
