"""The data of every event."""

from collections.abc import Callable
from typing import Any, Final

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
from worker.wire import parts
from worker.wire.parts import Json, instant


def _account_created(event: AccountCreated) -> Json:
    return {
        "account": event.account,
        "currency": event.currency,
        "displayName": event.display_name,
        "contact": parts.contact(event.contact),
        "paymentTerms": parts.terms(event.terms),
        "paymentProfiles": parts.profiles(event.serving, None),
        "labels": parts.labels(event.labels),
    }


def _account_updated(event: AccountUpdated) -> Json:
    return {
        "account": event.account,
        "displayName": event.display_name,
        "contact": parts.contact(event.contact),
        "labels": parts.labels(event.labels),
    }


def _currency_changed(event: CurrencyChanged) -> Json:
    return {"account": event.account, "currency": event.currency}


def _payment_terms_changed(event: PaymentTermsChanged) -> Json:
    return {"account": event.account, "paymentTerms": parts.terms(event.terms)}


def _payment_profiles(event: PaymentProfileAttached | PaymentProfileDetached) -> Json:
    return {"account": event.account, "paymentProfiles": parts.profiles(event.serving, event.pending)}


def _payment_profile_reported(event: PaymentProfileReported) -> Json:
    reported = event.reported
    return {
        "account": event.account,
        "externalId": reported.external_id,
        "status": reported.status.value,
        "cause": None if reported.cause is None else reported.cause.value,
        "paymentProfiles": parts.profiles(event.serving, event.pending),
    }


def _hold_placed(event: HoldPlaced) -> Json:
    return {"hold": parts.hold(event.hold)}


def _hold_released(event: HoldReleased) -> Json:
    released: Json = {"hold": event.hold.id, "releasedBy": event.released_by}
    if event.automatic:
        released["automatic"] = True
    elif event.approval is not None:
        released["approval"] = parts.approval(event.approval)
    return released


def _suspension_scheduled(event: SuspensionScheduled) -> Json:
    return {"account": event.account, **parts.scheduled(event.suspension)}


def _suspension_cancelled(event: SuspensionCancelled) -> Json:
    return {"account": event.account, "reason": event.reason.value}


def _phase_changed(event: PhaseChanged) -> Json:
    changed: Json = {
        "account": event.account,
        "from": None if event.left is None else event.left.value,
        "to": event.entered.value,
        "since": parts.maybe_instant(event.since),
        "at": instant(event.at),
        "reason": str(event.reason),
        "holds": [parts.hold(hold) for hold in event.holds],
        "activeBindings": event.active_bindings,
        "activatedAt": parts.maybe_instant(event.activated_at),
        "currency": event.currency,
    }
    if event.settlement is not None:
        changed["settlement"] = parts.settlement(event.settlement)
    if event.approval is not None:
        changed["approval"] = parts.approval(event.approval)
    return changed


def _account_deleted(event: AccountDeleted) -> Json:
    return {
        "account": event.account,
        "phase": event.phase.value,
        "lastBindingUntil": parts.maybe_instant(event.last_binding_until),
    }


def _project(event: ProjectRegistered | ProjectDeleted) -> Json:
    return {"project": event.project}


def _binding_established(event: BindingEstablished) -> Json:
    established: Json = {
        "binding": event.binding,
        "project": event.project,
        "account": event.account,
        "since": instant(event.since),
        "currency": event.currency,
        "accountSequence": event.account_sequence,
    }
    if event.supersedes is not None:
        established["supersedes"] = event.supersedes
        established["previousAccount"] = event.previous_account
        established["previousCurrency"] = event.previous_currency
    return established


def _binding_superseded(event: BindingSuperseded) -> Json:
    return {
        "binding": event.binding,
        "project": event.project,
        "account": event.account,
        "since": instant(event.since),
        "until": instant(event.until),
        "supersededBy": {"binding": event.superseded_by, "account": event.superseded_by_account},
        "currency": event.currency,
    }


def _binding_released(event: BindingReleased) -> Json:
    return {
        "binding": event.binding,
        "project": event.project,
        "account": event.account,
        "since": instant(event.since),
        "until": instant(event.until),
        "reason": event.end.value,
        "currency": event.currency,
    }


def _lock(event: BindingLocked | BindingUnlocked) -> Json:
    return {"binding": event.binding, "project": event.project, "account": event.account, "note": event.note}


def _notice(event: PayerAtRisk | PayerRestored) -> Json:
    return {
        "account": event.account,
        "phase": event.phase.value,
        "reasons": [reason.value for reason in event.reasons],
        "since": instant(event.since),
        "accountSequence": event.account_sequence,
    }


def _payer_missing(event: PayerMissing) -> Json:
    return {"project": event.project, "since": instant(event.since), "reason": event.reason.value}


@value
class Form:
    """How one kind of event is written: its type on the wire, and its data."""

    type: str
    data: Callable[[Any], Json]


FORMS: Final[dict[type[Event], Form]] = {
    AccountCreated: Form(written.AccountCreated.TYPE, _account_created),
    AccountUpdated: Form(written.AccountUpdated.TYPE, _account_updated),
    CurrencyChanged: Form(written.CurrencyChanged.TYPE, _currency_changed),
    PaymentTermsChanged: Form(written.PaymentTermsChanged.TYPE, _payment_terms_changed),
    PaymentProfileAttached: Form(written.PaymentProfileAttached.TYPE, _payment_profiles),
    PaymentProfileReported: Form(written.PaymentProfileReported.TYPE, _payment_profile_reported),
    PaymentProfileDetached: Form(written.PaymentProfileDetached.TYPE, _payment_profiles),
    HoldPlaced: Form(written.HoldPlaced.TYPE, _hold_placed),
    HoldReleased: Form(written.HoldReleased.TYPE, _hold_released),
    SuspensionScheduled: Form(written.SuspensionScheduled.TYPE, _suspension_scheduled),
    SuspensionCancelled: Form(written.SuspensionCancelled.TYPE, _suspension_cancelled),
    PhaseChanged: Form(written.PhaseChanged.TYPE, _phase_changed),
    AccountDeleted: Form(written.AccountDeleted.TYPE, _account_deleted),
    ProjectRegistered: Form(written.ProjectRegistered.TYPE, _project),
    ProjectDeleted: Form(written.ProjectDeleted.TYPE, _project),
    BindingEstablished: Form(written.BindingEstablished.TYPE, _binding_established),
    BindingSuperseded: Form(written.BindingSuperseded.TYPE, _binding_superseded),
    BindingReleased: Form(written.BindingReleased.TYPE, _binding_released),
    BindingLocked: Form(written.BindingLocked.TYPE, _lock),
    BindingUnlocked: Form(written.BindingUnlocked.TYPE, _lock),
    PayerAtRisk: Form(written.PayerAtRisk.TYPE, _notice),
    PayerRestored: Form(written.PayerRestored.TYPE, _notice),
    PayerMissing: Form(written.PayerMissing.TYPE, _payer_missing),
}
"""Every event of the rules; a test keeps it complete."""
