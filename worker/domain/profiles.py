"""Payment profiles: at most one serves and one waits; a Valid one serves until its replacement is Valid."""

from dataclasses import replace

from worker.domain.accounts import Account, Usage, is_already_over
from worker.domain.commands import AttachPaymentProfile, DetachPaymentProfile, ReportPaymentProfile
from worker.domain.decision import Occasion, Reason, Rejected, refuse
from worker.domain.events import (
    AccountEvent,
    PaymentProfileAttached,
    PaymentProfileDetached,
    PaymentProfileReported,
)
from worker.domain.values import PaymentProfile, ProfileStatus


def attach(account: Account, order: AttachPaymentProfile, occasion: Occasion) -> list[AccountEvent] | Rejected:
    """Give an account a profile: a Valid one serves at once, a Pending one waits while another is Valid."""
    profile = order.profile
    if is_already_over(profile, occasion.at):
        return refuse(Reason.INVALID_DATA, path="/paymentProfile/validUntil")
    if profile in (account.serving, account.pending):
        return []
    serves = profile.is_valid or account.serving is None or not account.serving.is_valid
    if not serves:
        return [PaymentProfileAttached(account.id, serving=account.serving, pending=profile)]
    waiting = account.pending
    if waiting is not None and waiting.external_id == profile.external_id:
        waiting = None
    return [PaymentProfileAttached(account.id, serving=profile, pending=waiting)]


def report(account: Account, order: ReportPaymentProfile, occasion: Occasion) -> list[AccountEvent] | Rejected:
    """Take the provider's word. Word of a profile that is neither serving nor waiting is stale: nothing happens."""
    is_valid = order.status is ProfileStatus.VALID
    if is_valid and order.valid_until is not None and order.valid_until <= occasion.at:
        return refuse(Reason.INVALID_DATA, path="/validUntil")
    serving, pending, reported = account.serving, account.pending, None
    if serving is not None and serving.external_id == order.external_id:
        serving = reported = _as_reported(serving, order, occasion)
    if pending is not None and pending.external_id == order.external_id:
        reported = _as_reported(pending, order, occasion)
        if is_valid:
            serving = reported
        pending = None
    if reported is None or (serving, pending) == (account.serving, account.pending):
        return []
    return [PaymentProfileReported(account.id, reported=reported, serving=serving, pending=pending)]


def detach(account: Account, _order: DetachPaymentProfile, usage: Usage) -> list[AccountEvent] | Rejected:
    """Drop the serving and the waiting profile, unless projects rely on them."""
    if account.serving is None and account.pending is None:
        return []
    if usage.active_bindings:
        return refuse(Reason.PROFILE_IN_USE, count=usage.active_bindings)
    return [PaymentProfileDetached(account.id, serving=None, pending=None)]


def _as_reported(profile: PaymentProfile, order: ReportPaymentProfile, occasion: Occasion) -> PaymentProfile:
    """A report without `validUntil` keeps the end that was known, unless that has passed."""
    until = order.valid_until or profile.valid_until
    if until is not None and until <= occasion.at and order.valid_until is None:
        until = None
    return replace(profile, status=order.status, cause=order.cause, valid_until=until)
