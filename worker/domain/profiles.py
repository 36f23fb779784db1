"""Payment profiles: at most one serves and one waits; a Valid one serves until its replacement is Valid."""

from dataclasses import replace

from worker.domain.accounts import Account, Usage
from worker.domain.commands import (
    AccountAction,
    AttachPaymentProfile,
    CreateAccount,
    ReportPaymentProfile,
)
from worker.domain.decision import Occasion, Reason, Refusal, Rejected, refuse
from worker.domain.events import (
    AccountEvent,
    PaymentProfileAttached,
    PaymentProfileDetached,
    PaymentProfileReported,
)
from worker.domain.values import Instant, PaymentProfile, ProfileStatus


def refuse_past(action: AccountAction, at: Instant) -> Rejected | None:
    """Refuse to call Valid what is over by now: wrong in itself, so said before any rule is judged."""
    match action:
        case (
            CreateAccount(profile=PaymentProfile(status=ProfileStatus.VALID, valid_until=until))
            | AttachPaymentProfile(profile=PaymentProfile(status=ProfileStatus.VALID, valid_until=until))
        ):
            path = "/paymentProfile/validUntil"
        case ReportPaymentProfile(status=ProfileStatus.VALID, valid_until=until):
            path = "/validUntil"
        case _:
            return None
    if until is None or until > at:
        return None
    return Rejected((Refusal(Reason.INVALID_DATA, {"path": path}, "What is Valid must not be over yet."),))


def attach(account: Account, order: AttachPaymentProfile) -> list[AccountEvent]:
    """Give an account a profile: a Valid one serves at once, a Pending one waits while another is Valid."""
    profile, serving, pending = order.profile, account.serving, account.pending
    if profile.is_valid or serving is None or not serving.is_valid:
        serving = profile
        if pending is not None and pending.external_id == profile.external_id:
            pending = None
    else:
        pending = profile
    if (serving, pending) == (account.serving, account.pending):
        return []
    return [PaymentProfileAttached(account.id, serving=serving, pending=pending)]


def report(account: Account, order: ReportPaymentProfile, occasion: Occasion) -> list[AccountEvent]:
    """Take the provider's word. Word of a profile that is neither serving nor waiting is stale: nothing happens."""
    serving, pending, reported = account.serving, account.pending, None
    if serving is not None and serving.external_id == order.external_id:
        serving = reported = _as_reported(serving, order, occasion.at)
    if pending is not None and pending.external_id == order.external_id:
        reported = _as_reported(pending, order, occasion.at)
        if reported.is_valid:
            serving = reported
        pending = None
    if reported is None or (serving, pending) == (account.serving, account.pending):
        return []
    return [PaymentProfileReported(account.id, reported=reported, serving=serving, pending=pending)]


def detach(account: Account, usage: Usage) -> list[AccountEvent] | Rejected:
    """Drop the serving and the waiting profile, unless projects rely on them."""
    if account.serving is None and account.pending is None:
        return []
    if usage.active_bindings:
        return refuse(Reason.PROFILE_IN_USE, count=usage.active_bindings)
    return [PaymentProfileDetached(account.id, serving=None, pending=None)]


def _as_reported(profile: PaymentProfile, order: ReportPaymentProfile, at: Instant) -> PaymentProfile:
    """A report without `validUntil` keeps the end that was known, unless that has passed."""
    until = order.valid_until
    if until is None and profile.valid_until is not None and profile.valid_until > at:
        until = profile.valid_until
    return replace(profile, status=order.status, cause=order.cause, valid_until=until)
