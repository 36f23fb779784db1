"""Every event from its data: the inverse of `events`.

What only another record tells is not known here: of a hold that was released the event names the id alone, of the holds
that a phase lists nothing says whether they are `derived`, and of a reported profile that was dropped neither type nor
end is told. The rules look at none of these in an event that has happened, nor do the tables.
"""

from collections.abc import Callable
from typing import Final

from schemas import events as written
from worker.domain.events import (
    AccountCreated,
    AccountDeleted,
    AccountUpdated,
    BindingEstablished,
    BindingLocked,
    BindingReleased,
    BindingSuperseded,
    BindingUnlocked,
    CurrencyChanged,
    Event,
    HoldPlaced,
    HoldReleased,
    PayerAtRisk,
    PayerMissing,
    PayerRestored,
    PaymentProfileAttached,
    PaymentProfileDetached,
    PaymentProfileReported,
    PaymentTermsChanged,
    PhaseChanged,
    ProjectDeleted,
    ProjectRegistered,
    SuspensionCancelled,
    SuspensionScheduled,
)
from worker.domain.value import value
from worker.domain.values import Hold, HoldReason, Instant
from worker.wire import published_parts as parts
from worker.wire.parts import Json
from worker.wire.published_parts import ENDS, PHASES, REASONS, UNPAID, instant, maybe_instant


@value
class Told:
    """What else a record tells of an event: its subject's own id, when it was, and the id that a hold has by itself."""

    subject: str
    at: Instant
    derived_hold: Callable[[], str]


def _account_created(data: Json, _: Told) -> Event:
    return AccountCreated(
        account=data["account"],
        currency=data["currency"],
        display_name=data["displayName"],
        contact=parts.contact(data["contact"]),
        terms=parts.terms(data["paymentTerms"]),
        serving=parts.profile(data["paymentProfiles"]["serving"]),
        labels=data["labels"],
    )


def _account_updated(data: Json, _: Told) -> Event:
    return AccountUpdated(data["account"], data["displayName"], parts.contact(data["contact"]), data["labels"])


def _currency_changed(data: Json, _: Told) -> Event:
    return CurrencyChanged(data["account"], data["currency"])


def _payment_terms_changed(data: Json, _: Told) -> Event:
    return PaymentTermsChanged(data["account"], parts.terms(data["paymentTerms"]))


def _payment_profile_attached(data: Json, _: Told) -> Event:
    profiles = data["paymentProfiles"]
    return PaymentProfileAttached(
        data["account"], parts.profile(profiles["serving"]), parts.profile(profiles["pending"])
    )


def _payment_profile_detached(data: Json, _: Told) -> Event:
    profiles = data["paymentProfiles"]
    return PaymentProfileDetached(
        data["account"], parts.profile(profiles["serving"]), parts.profile(profiles["pending"])
    )


def _payment_profile_reported(data: Json, _: Told) -> Event:
    profiles = data["paymentProfiles"]
    serving, pending = parts.profile(profiles["serving"]), parts.profile(profiles["pending"])
    return PaymentProfileReported(data["account"], parts.reported(data, serving, pending), serving, pending)


def _hold_placed(data: Json, told: Told) -> Event:
    placed = data["hold"]
    return HoldPlaced(told.subject, parts.hold(placed, derived=placed["hold"] == told.derived_hold()))


def _hold_released(data: Json, told: Told) -> Event:
    named = Hold(data["hold"], HoldReason.ADMINISTRATIVE, "", blocks_rebind=False, placed_by=None, placed_at=told.at)
    approval = parts.approval(data.get("approval"))
    return HoldReleased(told.subject, named, data["releasedBy"], approval, automatic=data.get("automatic", False))


def _suspension_scheduled(data: Json, _: Told) -> Event:
    return SuspensionScheduled(data["account"], parts.scheduled(data))


def _suspension_cancelled(data: Json, _: Told) -> Event:
    return SuspensionCancelled(data["account"], REASONS[data["reason"]])


def _phase_changed(data: Json, _: Told) -> Event:
    left = data["from"]
    return PhaseChanged(
        account=data["account"],
        left=None if left is None else PHASES[left],
        entered=PHASES[data["to"]],
        since=maybe_instant(data["since"]),
        at=instant(data["at"]),
        reason=data["reason"],
        holds=tuple(parts.hold(hold, derived=False) for hold in data["holds"]),
        active_bindings=data["activeBindings"],
        activated_at=maybe_instant(data["activatedAt"]),
        currency=data["currency"],
        settlement=parts.settlement(data.get("settlement")),
        approval=parts.approval(data.get("approval")),
    )


def _account_deleted(data: Json, _: Told) -> Event:
    return AccountDeleted(data["account"], PHASES[data["phase"]], maybe_instant(data["lastBindingUntil"]))


def _project_registered(data: Json, _: Told) -> Event:
    return ProjectRegistered(data["project"])


def _project_deleted(data: Json, _: Told) -> Event:
    return ProjectDeleted(data["project"])


def _binding_established(data: Json, _: Told) -> Event:
    return BindingEstablished(
        data["binding"],
        data["project"],
        data["account"],
        instant(data["since"]),
        data["currency"],
        data["accountSequence"],
        data.get("supersedes"),
        data.get("previousAccount"),
        data.get("previousCurrency"),
    )


def _binding_superseded(data: Json, _: Told) -> Event:
    heir = data["supersededBy"]
    return BindingSuperseded(
        data["binding"],
        data["project"],
        data["account"],
        instant(data["since"]),
        instant(data["until"]),
        heir["binding"],
        heir["account"],
        data["currency"],
    )


def _binding_released(data: Json, _: Told) -> Event:
    return BindingReleased(
        data["binding"],
        data["project"],
        data["account"],
        instant(data["since"]),
        instant(data["until"]),
        ENDS[data["reason"]],
        data["currency"],
    )


def _binding_locked(data: Json, _: Told) -> Event:
    return BindingLocked(data["binding"], data["project"], data["account"], data["note"])


def _binding_unlocked(data: Json, _: Told) -> Event:
    return BindingUnlocked(data["binding"], data["project"], data["account"], data["note"])


def _payer_at_risk(data: Json, told: Told) -> Event:
    reasons = tuple(REASONS[reason] for reason in data["reasons"])
    phase, since = PHASES[data["phase"]], instant(data["since"])
    return PayerAtRisk(told.subject, data["account"], phase, reasons, since, data["accountSequence"])


def _payer_restored(data: Json, told: Told) -> Event:
    reasons = tuple(REASONS[reason] for reason in data["reasons"])
    phase, since = PHASES[data["phase"]], instant(data["since"])
    return PayerRestored(told.subject, data["account"], phase, reasons, since, data["accountSequence"])


def _payer_missing(data: Json, _: Told) -> Event:
    return PayerMissing(data["project"], instant(data["since"]), UNPAID[data["reason"]])


READERS: Final[dict[str, Callable[[Json, Told], Event]]] = {
    written.AccountCreated.TYPE: _account_created,
    written.AccountUpdated.TYPE: _account_updated,
    written.CurrencyChanged.TYPE: _currency_changed,
    written.PaymentTermsChanged.TYPE: _payment_terms_changed,
    written.PaymentProfileAttached.TYPE: _payment_profile_attached,
    written.PaymentProfileReported.TYPE: _payment_profile_reported,
    written.PaymentProfileDetached.TYPE: _payment_profile_detached,
    written.HoldPlaced.TYPE: _hold_placed,
    written.HoldReleased.TYPE: _hold_released,
    written.SuspensionScheduled.TYPE: _suspension_scheduled,
    written.SuspensionCancelled.TYPE: _suspension_cancelled,
    written.PhaseChanged.TYPE: _phase_changed,
    written.AccountDeleted.TYPE: _account_deleted,
    written.ProjectRegistered.TYPE: _project_registered,
    written.ProjectDeleted.TYPE: _project_deleted,
    written.BindingEstablished.TYPE: _binding_established,
    written.BindingSuperseded.TYPE: _binding_superseded,
    written.BindingReleased.TYPE: _binding_released,
    written.BindingLocked.TYPE: _binding_locked,
    written.BindingUnlocked.TYPE: _binding_unlocked,
    written.PayerAtRisk.TYPE: _payer_at_risk,
    written.PayerRestored.TYPE: _payer_restored,
    written.PayerMissing.TYPE: _payer_missing,
}
"""Every event that was ever published, by its type on the wire; a test keeps it complete."""
