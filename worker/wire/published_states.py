"""Accounts and projects from the compacted topics: the inverse of `states`, as far as a state tells.

It does not tell how far notices have come, whether a project was told that its payer is at risk, and when an account
began or a project was registered: `timelineSince` stands for the latter, which is the same up to 200 intervals.
Whether a hold was given an id by its sender is seen by the id: those that the worker derives are UUIDs of version 5.
"""

import re
from typing import Any, Final

import orjson

from schemas.state import AccountState, PayerState
from worker.domain.accounts import Account
from worker.domain.projects import Project
from worker.domain.values import Binding, Interval
from worker.wire import published_parts as parts
from worker.wire.parts import Json
from worker.wire.published import NotPublishedError
from worker.wire.published_parts import ENDS, PHASES, instant, maybe_instant

_DERIVED: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def read_account(value: bytes | None) -> Account:
    """The account in a record. Raises NotPublishedError for what no worker wrote as one."""
    try:
        return _account(_data(value, AccountState.TYPE))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise NotPublishedError(f"no worker wrote this: {type(error).__name__}") from error


def read_project(value: bytes | None) -> Project:
    """The project in a record. Raises NotPublishedError for what no worker wrote as one."""
    try:
        return _project(_data(value, PayerState.TYPE))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise NotPublishedError(f"no worker wrote this: {type(error).__name__}") from error


def _data(value: bytes | None, kind: str) -> Json:
    envelope: dict[str, Any] = orjson.loads(value or b"")
    if envelope["type"] != kind:
        raise ValueError(kind)
    data: Json = envelope["data"]
    return data


def _account(data: Json) -> Account:
    profiles = data["paymentProfiles"]
    return Account(
        organization=data["organization"],
        id=data["account"],
        sequence=data["sequence"],
        phase=PHASES[data["phase"]],
        phase_since=instant(data["phaseSince"]),
        currency=data["currency"],
        terms=parts.terms(data["paymentTerms"]),
        display_name=data["displayName"],
        contact=parts.contact(data["contact"]),
        labels=data["labels"],
        activated_at=maybe_instant(data["activatedAt"]),
        serving=parts.profile(profiles["serving"]),
        pending=parts.profile(profiles["pending"]),
        holds=tuple(parts.hold(hold, derived=_DERIVED.fullmatch(hold["hold"]) is not None) for hold in data["holds"]),
        scheduled=tuple(parts.scheduled(entry) for entry in data["scheduled"]),
        deleted_at=maybe_instant(data.get("deletedAt")),
    )


def _project(data: Json) -> Project:
    payer, since = data["payer"], instant(data["timelineSince"])
    closed = [entry for entry in data["timeline"] if entry["until"] is not None]
    return Project(
        organization=data["organization"],
        id=data["project"],
        sequence=data["sequence"],
        registered_at=since,
        closed_since=since,
        open=_binding(payer) if payer is not None else None,
        locked=data["locked"],
        closed=tuple(_interval(entry) for entry in closed),
        deleted_at=maybe_instant(data.get("deletedAt")),
    )


def _binding(payer: Json) -> Binding:
    return Binding(payer["binding"], payer["account"], instant(payer["since"]), payer["currency"])


def _interval(entry: Json) -> Interval:
    return Interval(
        entry["binding"],
        entry["account"],
        entry["currency"],
        instant(entry["since"]),
        instant(entry["until"]),
        ENDS[entry["reason"]],
    )
