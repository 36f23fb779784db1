"""Phases: where an account stands follows from its holds and its payment profile, after every command anew."""

from worker.domain.accounts import Account, Usage, evolve
from worker.domain.decision import Occasion
from worker.domain.events import AccountCreated, AccountEvent, HoldPlaced, HoldReleased, PhaseChanged
from worker.domain.values import (
    BLOCKING_BY_DEFAULT,
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
    ScheduledSuspension,
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
) -> list[AccountEvent]:
    """The facts, the holds that they bring or lift by themselves, and last the change of phase, if any."""
    events = list(facts)
    after = _after(before, facts, occasion)
    if after is None or after.deleted_at is not None:
        return events
    holds = _profile_holds(before, after, occasion, len(events))
    events += holds
    after = _after(after, holds, occasion)
    assert after is not None  # noqa: S101 - it was not before
    if facts and isinstance(facts[0], AccountCreated):
        created = _phase_changed(after, Phase.PROVISIONING, "CREATED", usage, occasion)
        events.append(created)
        after = evolve(after, created, occasion.origin.organization, occasion.at)
    return events + _phase_follows(after, events, usage, occasion, approval)


def conclude_due(
    before: Account,
    facts: list[AccountEvent],
    begun: list[ScheduledSuspension],
    usage: Usage,
    occasion: Occasion,
) -> list[AccountEvent]:
    """The facts that fell due, the hold of a profile that expired, those of suspensions that begin, and the phase.

    No hold is lifted: what other settings make superfluous stays until the account's next command.
    """
    after = _after(before, facts, occasion)
    assert after is not None  # noqa: S101 - nor was it before
    events = facts + _lost_profile(before, after, occasion, len(facts))
    for suspension in begun:
        hold = Hold(
            id=occasion.origin.hold_id(len(events)),
            reason=suspension.reason,
            message=suspension.message,
            blocks_rebind=suspension.reason in BLOCKING_BY_DEFAULT,
            placed_by=suspension.scheduled_by,
            placed_at=occasion.at,
            derived=True,
        )
        events.append(HoldPlaced(before.id, hold))
    after = _after(before, events, occasion)
    assert after is not None  # noqa: S101 - see above
    return events + _phase_follows(after, events, usage, occasion)


def close(
    before: Account,
    facts: list[AccountEvent],
    usage: Usage,
    occasion: Occasion,
    approval: Approval | None,
    settlement: Settlement | None,
) -> list[AccountEvent]:
    """The facts, and the account's last phase."""
    after = _after(before, facts, occasion)
    assert after is not None  # noqa: S101 - it was not before
    return [*facts, _phase_changed(after, Phase.ARCHIVED, "CLOSED", usage, occasion, approval, settlement)]


def _after(account: Account | None, events: list[AccountEvent], occasion: Occasion) -> Account | None:
    for event in events:
        account = evolve(account, event, occasion.origin.organization, occasion.at)
    return account


def _phase_follows(
    account: Account,
    events: list[AccountEvent],
    usage: Usage,
    occasion: Occasion,
    approval: Approval | None = None,
) -> list[AccountEvent]:
    phase = phase_of(account, occasion.rules)
    if phase is account.phase:
        return []
    return [_phase_changed(account, phase, _reason_for(phase, account, events), usage, occasion, approval)]


def _profile_holds(before: Account | None, after: Account, occasion: Occasion, index: int) -> list[AccountEvent]:
    """Lift the profile hold once the serving profile is Valid; place one when an activated account loses its own."""
    serves = after.serving is not None and after.serving.is_valid
    if serves or not occasion.rules.payment_profile_required:
        active = [hold for hold in after.holds if hold.reason in PROFILE_HOLDS]
        return [HoldReleased(after.id, hold, SYSTEM_ACTOR, automatic=True) for hold in active]
    return _lost_profile(before, after, occasion, index) if before else []


def _lost_profile(before: Account, after: Account, occasion: Occasion, index: int) -> list[AccountEvent]:
    """The hold of an activated account that cannot be charged any more."""
    if not occasion.rules.payment_profile_required or after.activated_at is None or not after.has_room:
        return []
    reason = _loss(before, after.serving)
    if reason is None or any(hold.reason in PROFILE_HOLDS for hold in after.holds):
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
    if before.serving == serving and before.has_room:
        return None
    if serving is None:
        return HoldReason.PAYMENT_PROFILE_MISSING
    if serving.status is not ProfileStatus.INVALID:
        return None
    if serving.cause is InvalidCause.EXPIRED:
        return HoldReason.PAYMENT_PROFILE_EXPIRED
    return HoldReason.PAYMENT_PROFILE_INVALID


def _reason_for(phase: Phase, account: Account, events: list[AccountEvent]) -> str:
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
