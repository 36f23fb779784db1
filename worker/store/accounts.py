"""Accounts and their rows."""
# ruff: noqa: S608  the parts that SQL is put together from are constants of this package

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.accounts import Account, Usage
from worker.domain.book import SAMPLE_MAX, Book, Key
from worker.domain.values import (
    Contact,
    Hold,
    HoldReason,
    Instant,
    InvalidCause,
    InvoiceFrequency,
    PaymentProfile,
    PaymentTerms,
    Phase,
    ProfileStatus,
    ScheduledSuspension,
)
from worker.store.columns import by_column, found, unnest
from worker.store.errors import StateDiverged

_KEY: Final = {"organization": "text", "account": "text"}
_PROFILE: Final = {
    "type": "text",
    "external_id": "text",
    "status": "text",
    "valid_until": "timestamptz",
    "cause": "text",
}
_VALUES: Final = {
    "sequence": "bigint",
    "phase": "text",
    "phase_since": "timestamptz",
    "currency": "text",
    "net_days": "integer",
    "invoice_day_of_month": "integer",
    "invoice_frequency": "text",
    "display_name": "text",
    "contact_email": "text",
    "contact_name": "text",
    "labels": "json",
    "activated_at": "timestamptz",
    **{f"serving_{name}": kind for name, kind in _PROFILE.items()},
    **{f"pending_{name}": kind for name, kind in _PROFILE.items()},
    "holds_active": "integer",
    "scheduled": "json",
    "deleted_at": "timestamptz",
    "active_bindings": "bigint",
    "last_binding_until": "timestamptz",
}
_CHANGED: Final = _KEY | _VALUES
_CREATED: Final = _CHANGED | {"created_at": "timestamptz"}
_LOADED: Final = ("organization", "account", *_VALUES)
_SERVING: Final = slice(_LOADED.index("serving_type"), _LOADED.index("serving_cause") + 1)
_PENDING: Final = slice(_LOADED.index("pending_type"), _LOADED.index("pending_cause") + 1)
_HOLD: Final = ("hold", "reason", "message", "blocks_rebind", "placed_by", "placed_at", "derived")

_LOAD = text(
    f"""
    SELECT {", ".join(f"a.{name}" for name in _LOADED)}, {", ".join(f"h.{name}" for name in _HOLD)}
    FROM {unnest(_KEY)} AS asked (organization, account)
    CROSS JOIN LATERAL (
        SELECT * FROM accounts
        WHERE accounts.organization = asked.organization AND accounts.account = asked.account OFFSET 0
    ) AS a
    LEFT JOIN LATERAL (
        SELECT * FROM holds
        WHERE a.holds_active > 0
        AND holds.organization = a.organization AND holds.account = a.account AND holds.released_at IS NULL OFFSET 0
    ) AS h ON true
    ORDER BY h.sequence
    """
)
_SAMPLE = text(
    f"""
    SELECT asked.organization, asked.account, first.project
    FROM {unnest(_KEY | {"sample": "integer"})} AS asked (organization, account, sample)
    CROSS JOIN LATERAL (
        SELECT project FROM bindings AS b
        WHERE b.organization = asked.organization AND b.account = asked.account AND b.ended = 'open'
        ORDER BY b.project LIMIT asked.sample
    ) AS first
    """
)
_CREATE = text(f"INSERT INTO accounts ({', '.join(_CREATED)}) SELECT * FROM {unnest(_CREATED)}")
_CHANGE = text(
    f"""
    UPDATE accounts AS a SET {", ".join(f"{name} = new.{name}" for name in _VALUES)}
    FROM {found("accounts", _CHANGED, list(_KEY))} AS new WHERE a.ctid = new.place
    """
)


async def load(connection: AsyncConnection, book: Book, keys: Collection[Key]) -> None:
    """Put these accounts into the book, with their active holds and how many projects they pay for."""
    book.accounts.update(dict.fromkeys(keys))
    for key, (account, usage) in (await _read(connection, keys)).items():
        book.accounts[key] = account
        book.usage[key] = usage


async def read(connection: AsyncConnection, key: Key) -> tuple[Account | None, Usage]:
    """One account as it stands, None if there is none."""
    return (await _read(connection, [key])).get(key, (None, Usage()))


async def _read(connection: AsyncConnection, keys: Collection[Key]) -> dict[Key, tuple[Account, Usage]]:
    if not keys:
        return {}
    rows: dict[Key, Row[Any]] = {}
    holds: dict[Key, list[Hold]] = {}
    for row in await connection.execute(_LOAD, by_column(_KEY, list(keys))):
        key = (row[0], row[1])
        rows[key] = row
        if row.hold is not None:
            holds.setdefault(key, []).append(hold_of(row))
    return {
        key: (_account(row, tuple(holds.get(key, ()))), Usage(row.active_bindings, row.last_binding_until))
        for key, row in rows.items()
    }


async def load_samples(connection: AsyncConnection, book: Book, samples: Mapping[Key, int]) -> None:
    """Put the first projects that these accounts pay for into the book: as many as may leave, and a sample more."""
    book.bound.update({key: set() for key in samples})
    if not samples:
        return
    asked = [(*key, leaving + SAMPLE_MAX) for key, leaving in samples.items()]
    for organization, account, project in await connection.execute(_SAMPLE, by_column([*_KEY, "sample"], asked)):
        book.bound[organization, account].add(project)


async def save(connection: AsyncConnection, book: Book, created: Mapping[Key, Instant], changed: Iterable[Key]) -> None:
    """Write whole accounts: those created in this batch, and those of old that changed."""
    if created:
        rows = [(*_row(book, key), at) for key, at in created.items()]
        await connection.execute(_CREATE, by_column(_CREATED, rows))
    if rows := [_row(book, key) for key in changed if key not in created]:
        written = await connection.execute(_CHANGE, by_column(_CHANGED, rows))
        if written.rowcount != len(rows):
            raise StateDiverged(f"{len(rows)} accounts changed, {written.rowcount} of them are there")


def _row(book: Book, key: Key) -> tuple[object, ...]:
    account, usage = book.accounts[key], book.usage_of(key)
    assert account is not None  # noqa: S101  something happened to it
    contact = account.contact
    return (
        *key,
        account.sequence,
        account.phase,
        account.phase_since,
        account.currency,
        account.terms.net_days,
        account.terms.invoice_day_of_month,
        account.terms.invoice_frequency,
        account.display_name,
        contact.email if contact else None,
        contact.name if contact else None,
        json.dumps(dict(account.labels)),
        account.activated_at,
        *_profile_columns(account.serving),
        *_profile_columns(account.pending),
        len(account.holds),
        json.dumps([_written(suspension) for suspension in account.scheduled]),
        account.deleted_at,
        usage.active_bindings,
        usage.last_until,
    )


def _account(row: Row[Any], holds: tuple[Hold, ...]) -> Account:
    return Account(
        organization=row.organization,
        id=row.account,
        sequence=row.sequence,
        phase=Phase(row.phase),
        phase_since=row.phase_since,
        currency=row.currency,
        terms=PaymentTerms(row.net_days, row.invoice_day_of_month, InvoiceFrequency(row.invoice_frequency)),
        display_name=row.display_name,
        contact=Contact(row.contact_email, row.contact_name) if row.contact_email is not None else None,
        labels=row.labels,
        activated_at=row.activated_at,
        serving=_profile(row[_SERVING]),
        pending=_profile(row[_PENDING]),
        holds=holds,
        scheduled=tuple(_scheduled(written) for written in row.scheduled),
        deleted_at=row.deleted_at,
    )


def hold_of(row: Row[Any]) -> Hold:
    """A hold from the columns that describe its placing."""
    return Hold(
        id=row.hold,
        reason=HoldReason(row.reason),
        message=row.message,
        blocks_rebind=row.blocks_rebind,
        placed_by=row.placed_by,
        placed_at=row.placed_at,
        derived=row.derived,
    )


def _profile(columns: Sequence[Any]) -> PaymentProfile | None:
    kind, external_id, status, valid_until, cause = columns
    if kind is None:
        return None
    return PaymentProfile(
        kind, external_id, ProfileStatus(status), valid_until, InvalidCause(cause) if cause is not None else None
    )


def _profile_columns(profile: PaymentProfile | None) -> tuple[object, ...]:
    if profile is None:
        return (None,) * len(_PROFILE)
    return (profile.type, profile.external_id, profile.status, profile.valid_until, profile.cause)


def _scheduled(written: Mapping[str, Any]) -> ScheduledSuspension:
    return ScheduledSuspension(
        reason=HoldReason(written["reason"]),
        due_at=Instant.fromisoformat(written["dueAt"]),
        message=written["message"],
        scheduled_by=written["scheduledBy"],
        scheduled_at=Instant.fromisoformat(written["scheduledAt"]),
    )


def _written(suspension: ScheduledSuspension) -> dict[str, object]:
    return {
        "reason": suspension.reason,
        "dueAt": suspension.due_at.isoformat(),
        "message": suspension.message,
        "scheduledBy": suspension.scheduled_by,
        "scheduledAt": suspension.scheduled_at.isoformat(),
    }
