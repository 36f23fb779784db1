"""An account in the columns of its row, and back."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Row

from worker.domain.accounts import Account, Usage
from worker.domain.due import account_due_at
from worker.domain.values import (
    Contact,
    Hold,
    HoldReason,
    Instant,
    InvalidCause,
    InvoiceFrequency,
    NoticeKind,
    Notices,
    PaymentProfile,
    PaymentTerms,
    Phase,
    ProfileStatus,
    ScheduledSuspension,
)

KEY: Final = {"organization": "text", "account": "text"}
_PROFILE: Final = {
    "type": "text",
    "external_id": "text",
    "status": "text",
    "valid_until": "timestamptz",
    "cause": "text",
}
VALUES: Final = {
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
    "notices_kind": "text",
    "notices_after": "text",
    "due_at": "timestamptz",
    "deleted_at": "timestamptz",
    "active_bindings": "bigint",
    "last_binding_until": "timestamptz",
}
LOADED: Final = (*KEY, *VALUES)
HOLD: Final = ("hold", "reason", "message", "blocks_rebind", "placed_by", "placed_at", "derived")
_SERVING: Final = slice(LOADED.index("serving_type"), LOADED.index("serving_cause") + 1)
_PENDING: Final = slice(LOADED.index("pending_type"), LOADED.index("pending_cause") + 1)


def row_of(account: Account, usage: Usage) -> tuple[object, ...]:
    """The columns KEY and VALUES."""
    contact, notices = account.contact, account.notices
    return (
        account.organization,
        account.id,
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
        notices.kind if notices else None,
        notices.after if notices else None,
        account_due_at(account),
        account.deleted_at,
        usage.active_bindings,
        usage.last_until,
    )


def account_of(row: Row[Any], holds: tuple[Hold, ...]) -> Account:
    """The account from the columns LOADED."""
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
        notices=Notices(NoticeKind(row.notices_kind), row.notices_after) if row.notices_kind is not None else None,
        deleted_at=row.deleted_at,
    )


def hold_of(row: Row[Any]) -> Hold:
    """A hold from the columns HOLD."""
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
