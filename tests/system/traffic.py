"""Random commands of every kind, from a seed: many are refused, some take effect, a few are sent twice or broken."""

import json
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

ACCOUNTS = ("amber", "beryl", "coral")
PROJECTS = tuple(f"p-{number}" for number in range(12))
REASONS = ("NON_PAYMENT", "FRAUD_SUSPECTED", "ADMINISTRATIVE")
SOON = timedelta(seconds=2)
EARLIER_MAX = 500
UNKNOWN_BINDING = "00000000-0000-5000-8000-000000000000"

Data = dict[str, Any]
Command = tuple[str, bytes]


@dataclass
class Known:
    """What a publisher has heard of so far, by organization and id, and refers to."""

    bindings: defaultdict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    """Of each project, the present one last."""
    versions: dict[tuple[str, str], int] = field(default_factory=dict)
    """Of each account."""


def traffic(seed: int, organizations: tuple[str, ...], count: int, known: Known | None = None) -> Iterator[Command]:
    """Organization and command, `count` times. Instants lie around the time of the call, so that work falls due.

    Every command gets a result, under its id. `known` may grow while commands are drawn.
    """
    random = Random(seed)  # noqa: S311 - repeatable, not secret
    known = known or Known()
    earlier: deque[Command] = deque(maxlen=EARLIER_MAX)
    for number in range(count):
        if earlier and random.random() < 0.02:
            yield random.choice(earlier) if random.random() < 0.5 else earlier[-1]
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
        _refer(random, known, kind, envelope)
        _disturb(random, envelope)
        if earlier and random.random() < 0.01:
            organization, other = random.choice(earlier)
            envelope |= {"organization": organization, "id": json.loads(other)["id"]}
        command = organization, json.dumps(envelope).encode()
        earlier.append(command)
        yield command


def _refer(random: Random, known: Known, kind: str, envelope: Data) -> None:
    """Let some commands say what they were decided on: the version of an account, the binding of a project."""
    data, organization = envelope["data"], envelope["organization"]
    is_versioned = kind.startswith("account.") or kind == "project.bind"
    if random.random() < (0.05 if is_versioned else 0.005):
        account = data.get("account") or data.get("from") or "none"
        versions = (0, known.versions.get((organization, account), 0), random.randrange(6))
        envelope["expectedversion"] = random.choices(versions, (1, 3, 1))[0]
    if kind in {"project.bind", "project.unbind"} and random.random() < 0.1:
        bindings = known.bindings[organization, data["project"]][-2:]
        data["expectedBinding"] = random.choice((None, UNKNOWN_BINDING, *bindings, *bindings[-1:]))


def _disturb(random: Random, envelope: Data) -> None:
    """Let some commands have other attributes than most, and a few be wrong."""
    draw = random.random()
    if draw < 0.03:
        envelope["dryrun"] = True
    elif draw < 0.07:
        del envelope["actor"]
    elif draw < 0.1:
        envelope |= {"correlationid": f"run-{random.randrange(9)}", "traceparent": f"00-{'7' * 32}-{'1' * 16}-01"}
    elif draw < 0.12:
        _break_data(random, envelope)
    elif draw < 0.124:
        envelope |= random.choice(({"dryrun": "yes"}, {"expectedversion": -1}, {"datacontenttype": "text/xml"}))
    elif draw < 0.13:
        envelope["type"] = random.choice(("billing.account.merge.v1", "billing.project.bind.v2", "other"))


def _break_data(random: Random, envelope: Data) -> None:
    data = envelope["data"]
    name = random.choice(list(data))
    match random.randrange(4):
        case 0:
            del data[name]
        case 1:
            data["colour"] = "red"
        case 2 if name != "expectedBinding":
            data[name] = random.choice((None, 7, True, [], {}, "\u200b!"))
        case _:
            data |= random.choice([wrong for wrong in _WRONG if wrong.keys() & data.keys()] or _WRONG)


_WRONG: tuple[Data, ...] = (
    {"account": "Not A Label"},
    {"project": "p" * 64},
    {"currency": "eur"},
    {"currency": "XXX"},
    {"message": "m" * 1_025, "note": "n" * 1_025},
    {"dueAt": "2026-03-01T12:00:00", "reason": "BAD_MOOD"},
    {"externalId": "4111 1111-1111 1111"},
    {"paymentProfile": {"type": "card", "externalId": "4111111111111111", "status": "Invalid"}},
    {"paymentTerms": {"netDays": 0, "invoiceDayOfMonth": 29, "invoiceFrequency": "monthly"}},
    {"labels": {"team": 1}, "contact": {"email": "nobody"}},
    {"projects": ["p-1", "p-2", "p-1"]},
    {"status": "Valid", "cause": "Expired"},
    {"reason": "NON_PAYMENT", "all": True},
    {"approval": {"by": "lead@example.com"}, "settlement": {"reference": "S-1", "settledThrough": 1}},
    {"onExisting": "Reject"},
    {"hold": "no spaces", "blocksRebind": "yes"},
)


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
    """Soon, as often as not on a whole millisecond as append times are; rarely just over."""
    at = datetime.now(UTC) + SOON * random.choices((random.uniform(0.5, 2), -0.5), (19, 1))[0]
    return at.isoformat(timespec=random.choice(("milliseconds", "microseconds")))


def _approval(random: Random) -> Data:
    by = random.choices(("lead@example.com", "controller"), (1, 3))[0]
    return {"approval": {"by": by, "reference": "T-1"}} if random.random() < 0.95 else {}


def _terms(random: Random) -> Data:
    return {"paymentTerms": {"netDays": random.randrange(1, 60)}}


def _words(random: Random) -> Data:
    """What people read about an account; null clears it."""
    return random.choice(
        (
            {},
            {"displayName": f"Name {random.randrange(3)}"},
            {"displayName": "Cafe\u0301", "labels": {"team": "a", "floor": "2"}},
            {"labels": {"team": random.choice("ab")}, "contact": {"email": "pay@example.com", "name": "Pay"}},
            {"contact": {"email": "pay@example.com"}},
        )
    )


def _create(random: Random) -> Data:
    data = _account(random) | {"currency": random.choice(("EUR", "USD"))}
    if random.random() < 0.2:
        data |= _terms(random) | _words(random)
    return data | ({"paymentProfile": _profile(random)} if random.random() < 0.9 else {})


def _update(random: Random) -> Data:
    cleared = {name: None for name in ("displayName", "contact", "labels") if random.random() < 0.1}
    return _account(random) | _words(random) | cleared


def _report(random: Random) -> Data:
    data = _account(random) | {"externalId": f"pm-{random.randrange(3)}"}
    if random.random() < 0.2:
        data["validUntil"] = _instant(random)
    if random.random() < 0.6:
        return data | {"status": "Valid"}
    cause = {"cause": random.choice(("Expired", "Declined"))} if random.random() < 0.9 else {}
    return data | {"status": "Invalid"} | cause


def _suspend(random: Random) -> Data:
    data = _account(random) | {"reason": random.choice(REASONS), "message": random.choice(("Because.", "So."))}
    if random.random() < 0.2:
        data["blocksRebind"] = random.random() < 0.5
    return data | ({"hold": random.choice(("h-1", "h-2"))} if random.random() < 0.3 else {})


def _schedule(random: Random) -> Data:
    return _account(random) | {"reason": random.choice(REASONS), "message": "Because.", "dueAt": _instant(random)}


def _reactivate(random: Random) -> Data:
    draw = random.random()
    if draw < 0.6:
        selector: Data = {"all": True}
    elif draw < 0.7:
        selector = {"hold": random.choice(("h-1", "h-2"))}
    else:
        selector = {"reason": random.choice((*REASONS, "PAYMENT_PROFILE_INVALID"))}
    return _account(random) | selector | _approval(random)


def _archive(random: Random) -> Data:
    through = datetime.now(UTC) + SOON * random.choices((0, -1, 30), (6, 1, 1))[0]
    settled = {"reference": "S-1", "settledThrough": through.isoformat()}
    return _account(random) | _approval(random) | ({"settlement": settled} if random.random() < 0.7 else {})


def _bind(random: Random) -> Data:
    data = _project(random) | _account(random)
    return data | ({"onExisting": "reject"} if random.random() < 0.1 else {})


def _move(random: Random) -> Data:
    source, target = random.sample(ACCOUNTS, 2) if random.random() < 0.95 else ("amber", "amber")
    data: Data = {"from": source, "to": target}
    if random.random() < 0.4:
        data["projects"] = random.sample(PROJECTS, random.randint(1, 3))
    return data | ({"expectedCount": random.randrange(4)} if random.random() < 0.2 else {})


def _with_note(random: Random) -> Data:
    return _project(random) | {"note": "Because."}


_KINDS: dict[str, tuple[float, Callable[[Random], Data]]] = {
    "account.create": (6, _create),
    "account.update": (2, _update),
    "account.change-currency": (1, lambda random: _account(random) | {"currency": random.choice(("EUR", "JPY"))}),
    "account.change-payment-terms": (1, lambda random: _account(random) | _terms(random)),
    "account.attach-payment-profile": (5, lambda random: _account(random) | {"paymentProfile": _profile(random)}),
    "account.report-payment-profile": (6, _report),
    "account.detach-payment-profile": (1, _account),
    "account.suspend": (3, _suspend),
    "account.schedule-suspension": (2, _schedule),
    "account.cancel-suspension": (1, lambda random: _account(random) | {"reason": random.choice(REASONS)}),
    "account.reactivate": (8, _reactivate),
    "account.archive": (0.6, _archive),
    "account.delete": (0.3, _account),
    "account.move-projects": (3, _move),
    "project.bind": (30, _bind),
    "project.unbind": (5, _project),
    "project.lock": (1, _with_note),
    "project.unlock": (2, _with_note),
    "project.register": (2, _project),
    "project.delete": (0.3, _project),
}
