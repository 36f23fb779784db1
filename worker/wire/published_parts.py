"""Values of the domain from published JSON: the inverse of `parts`."""

from typing import Any, Final

from worker.domain.values import (
    Approval,
    BindingEnd,
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
    Settlement,
    Unpaid,
)
from worker.wire.parts import Json

# By dictionary: an enumeration's own look-up costs three times as much, and every record has some.
PHASES: Final = {phase.value: phase for phase in Phase}
REASONS: Final = {reason.value: reason for reason in HoldReason}
ENDS: Final = {end.value: end for end in BindingEnd}
UNPAID: Final = {why.value: why for why in Unpaid}
_STATUSES: Final = {status.value: status for status in ProfileStatus}
_CAUSES: Final = {cause.value: cause for cause in InvalidCause}
_FREQUENCIES: Final = {frequency.value: frequency for frequency in InvoiceFrequency}

instant = Instant.fromisoformat
"""An instant as it was written: the worker writes one form only, so nothing is checked that `datetime` does not."""


def maybe_instant(written: str | None) -> Instant | None:
    """An instant, or none."""
    return None if written is None else instant(written)


def contact(written: Json | None) -> Contact | None:
    """Whom to write to."""
    return None if written is None else Contact(written["email"], written.get("name"))


def terms(written: Json) -> PaymentTerms:
    """When invoices are made and due."""
    frequency = _FREQUENCIES[written["invoiceFrequency"]]
    return PaymentTerms(written["netDays"], written["invoiceDayOfMonth"], frequency)


def profile(written: Json | None) -> PaymentProfile | None:
    """A means of payment."""
    if written is None:
        return None
    return PaymentProfile(
        written["type"],
        written["externalId"],
        _STATUSES[written["status"]],
        maybe_instant(written["validUntil"]),
        _cause(written["cause"]),
    )


def reported(data: Json, *places: PaymentProfile | None) -> PaymentProfile:
    """The profile that was reported: one of those that an account has now, if it is still there.

    Of one that was dropped the event tells neither type nor end; nothing hangs on them any more.
    """
    external_id, status, cause = data["externalId"], _STATUSES[data["status"]], _cause(data["cause"])
    for place in places:
        if place is not None and (place.external_id, place.status, place.cause) == (external_id, status, cause):
            return place
    return PaymentProfile("", external_id, status, None, cause)


def hold(written: Json, *, derived: bool) -> Hold:
    """One reason why an account is suspended."""
    return Hold(
        id=written["hold"],
        reason=REASONS[written["reason"]],
        message=written["message"],
        blocks_rebind=written["blocksRebind"],
        placed_by=written["placedBy"],
        placed_at=instant(written["placedAt"]),
        derived=derived,
    )


def scheduled(written: Json) -> ScheduledSuspension:
    """A suspension that has not begun."""
    return ScheduledSuspension(
        REASONS[written["reason"]],
        instant(written["dueAt"]),
        written["message"],
        written["scheduledBy"],
        instant(written["scheduledAt"]),
    )


def approval(written: Json | None) -> Approval | None:
    """Who agreed."""
    return None if written is None else Approval(written["by"], written["reference"])


def settlement(written: Json | None) -> Settlement | None:
    """The proof that everything was billed."""
    return None if written is None else Settlement(written["reference"], instant(written["settledThrough"]))


def _cause(written: Any) -> InvalidCause | None:
    return None if written is None else _CAUSES[written]
