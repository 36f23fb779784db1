"""Phases: where an account stands follows from its holds and its payment profile, after every command anew."""

from worker.domain.accounts import Account, Usage, evolve
from worker.domain.decision import Occasion
from worker.domain.events import AccountCreated, AccountEvent, HoldPlaced, HoldReleased, PhaseChanged
from worker.domain.values import (
    HOLDS_MAX,
    PROFILE_HOLDS,
    SYSTEM_ACTOR,
    Approval,
    Hold,
    HoldReason,
    InvalidCause,
    PaymentProfile,
    Phase,
    ProfileStatus,
    Rules,
    Settlement,
)

_PROFILE_HOLD_MESSAGES = {
    HoldReason.PAYMENT_PROFILE_INVALID: "The payment profile is Invalid.",
    HoldReason.PAYMENT_PROFILE_EXPIRED: "The payment profile has expired.",
    HoldReason.PAYMENT_PROFILE_MISSING: "No payment profile is attached.",
}


def phase_of(account: Account, rules: Rules) -> Phase:
    """The phase that follows from an account's values. Never Ready to Provisioning; Archived is final."""
    if account.phase is Phase.ARCHIVED:
        return Phase.ARCHIVED
    if account.holds:
        return Phase.SUSPENDED
    if account.activated_at is not None:
        return Phase.READY
    if not rules.payment_profile_required or (account.serving is not None and account.serving.is_valid):
        return Phase.READY
    return Phase.PROVISIONING


def conclude(
    before: Account | None,
    facts: list[AccountEvent],
    usage: Usage,
    occasion: Occasion,
    *,
    approval: Approval | None = None,
    settlement: Settlement | None = None,
) -> list[AccountEvent]:
    """The facts, the holds that they bring or lift by themselves, and last the change of phase, if any."""
    events = list(facts)
    organization, at = occasion.origin.organization, occasion.at
    after = before
    for fact in facts:
        after = evolve(after, fact, organization, at)
    if after is None or after.deleted_at is not None:
        return events
    for event in _profile_holds(before, after, occasion, len(events)):
        after = evolve(after, event, organization, at)
        events.append(event)
    if facts and isinstance(facts[0], AccountCreated):
        created = _phase_changed(after, Phase.PROVISIONING, "CREATED", usage, occasion)
        events.append(created)
        after = evolve(after, created, organization, at)
    phase = phase_of(after, occasion.rules)
    if phase is not after.phase:
        reason = _reason_for(phase, after, events)
        events.append(_phase_changed(after, phase, reason, usage, occasion, approval, settlement))
    return events


def _profile_holds(before: Account | None, after: Account, occasion: Occasion, index: int) -> list[AccountEvent]:
    """Lift the profile hold once the serving profile is Valid; place one when an activated account loses its own."""
    active = [hold for hold in after.holds if hold.reason in PROFILE_HOLDS]
    serves = after.serving is not None and after.serving.is_valid
    if serves or not occasion.rules.payment_profile_required:
        return [HoldReleased(after.id, hold, SYSTEM_ACTOR, automatic=True) for hold in active]
    if active or before is None or after.activated_at is None or len(after.holds) >= HOLDS_MAX:
        return []
    reason = _loss(before, after.serving)
    if reason is None:
        return []
    hold = Hold(
        id=occasion.origin.hold_id(index),
        reason=reason,
        message=_PROFILE_HOLD_MESSAGES[reason],
        blocks_rebind=False,
        placed_by=SYSTEM_ACTOR,
        placed_at=occasion.at,
        derived=True,
    )
    return [HoldPlaced(after.id, hold)]


def _loss(before: Account, serving: PaymentProfile | None) -> HoldReason | None:
    """Why the account cannot be charged any more, if that is new or there was no room for another hold before."""
    if before.serving == serving and len(before.holds) < HOLDS_MAX:
        return None
    if serving is None:
        return HoldReason.PAYMENT_PROFILE_MISSING
    if serving.status is not ProfileStatus.INVALID:
        return None
    if serving.cause is InvalidCause.EXPIRED:
        return HoldReason.PAYMENT_PROFILE_EXPIRED
    return HoldReason.PAYMENT_PROFILE_INVALID


def _reason_for(phase: Phase, account: Account, events: list[AccountEvent]) -> str:
    if phase is Phase.ARCHIVED:
        return "CLOSED"
    if phase is Phase.SUSPENDED:
        return next(event.hold.reason for event in events if isinstance(event, HoldPlaced))
    if phase is Phase.READY and account.activated_at is None:
        return "ACTIVATED"
    return "REACTIVATED"


def _phase_changed(
    account: Account,
    entered: Phase,
    reason: str,
    usage: Usage,
    occasion: Occasion,
    approval: Approval | None = None,
    settlement: Settlement | None = None,
) -> PhaseChanged:
    is_first = reason == "CREATED"
    activates = entered is Phase.READY and account.activated_at is None
    return PhaseChanged(
        account=account.id,
        left=None if is_first else account.phase,
        entered=entered,
        since=None if is_first else account.phase_since,
        at=occasion.at,
        reason=reason,
        holds=account.holds,
        active_bindings=usage.active_bindings,
        activated_at=occasion.at if activates else account.activated_at,
        currency=account.currency,
        settlement=settlement,
        approval=approval,
    )
