"""Values of the domain as JSON, whole: every field there, null for nothing, as the contract writes them."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

from schemas.instants import format_instant
from worker.domain.values import (
    Approval,
    Contact,
    Hold,
    Instant,
    PaymentProfile,
    PaymentTerms,
    ScheduledSuspension,
    Settlement,
)

Json: TypeAlias = dict[str, Any]

_CACHED_INSTANTS_MAX: Final = 4_096
instant = lru_cache(maxsize=_CACHED_INSTANTS_MAX)(format_instant)
"""An instant as it is written. A command's own stands in everything that it brings about."""


def maybe_instant(at: Instant | None) -> str | None:
    """An instant, or null."""
    return None if at is None else instant(at)


def contact(value: Contact | None) -> Json | None:
    """Whom to write to; the name only if there is one."""
    if value is None:
        return None
    return {"email": value.email} if value.name is None else {"email": value.email, "name": value.name}


def terms(value: PaymentTerms) -> Json:
    """When invoices are made and due."""
    return {
        "netDays": value.net_days,
        "invoiceDayOfMonth": value.invoice_day_of_month,
        "invoiceFrequency": value.invoice_frequency.value,
    }


def profile(value: PaymentProfile | None) -> Json | None:
    """A means of payment."""
    if value is None:
        return None
    return {
        "type": value.type,
        "externalId": value.external_id,
        "status": value.status.value,
        "cause": None if value.cause is None else value.cause.value,
        "validUntil": maybe_instant(value.valid_until),
    }


def profiles(serving: PaymentProfile | None, pending: PaymentProfile | None) -> Json:
    """Both places of an account."""
    return {"serving": profile(serving), "pending": profile(pending)}


def hold(value: Hold) -> Json:
    """One reason why an account is suspended."""
    return {
        "hold": value.id,
        "reason": value.reason.value,
        "message": value.message,
        "blocksRebind": value.blocks_rebind,
        "placedBy": value.placed_by,
        "placedAt": instant(value.placed_at),
    }


def scheduled(value: ScheduledSuspension) -> Json:
    """A suspension that has not begun."""
    return {
        "reason": value.reason.value,
        "dueAt": instant(value.due_at),
        "message": value.message,
        "scheduledBy": value.scheduled_by,
        "scheduledAt": instant(value.scheduled_at),
    }


def approval(value: Approval) -> Json:
    """Who agreed, and where that is written down."""
    return {"by": value.by, "reference": value.reference}


def settlement(value: Settlement) -> Json:
    """The proof that everything was billed."""
    return {"reference": value.reference, "settledThrough": instant(value.settled_through)}


def labels(value: Mapping[str, str]) -> Json:
    """The publisher's own words, in the order of their names."""
    return dict(sorted(value.items()))
