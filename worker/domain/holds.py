"""Holds: the reasons why an account is suspended, each placed and released on its own."""

from worker.domain.accounts import Account
from worker.domain.commands import ReactivateAccount, SuspendAccount
from worker.domain.decision import Occasion, Reason, Refusal, Rejected, refuse
from worker.domain.events import AccountEvent, HoldPlaced, HoldReleased
from worker.domain.values import BLOCKING_BY_DEFAULT, HOLDS_MAX, PROFILE_HOLDS, Approval, Hold


def suspend(account: Account, order: SuspendAccount, occasion: Occasion) -> list[AccountEvent] | Rejected:
    """Place a hold. One that is there already is not placed again."""
    blocks = order.reason in BLOCKING_BY_DEFAULT if order.blocks_rebind is None else order.blocks_rebind
    for hold in account.holds:
        if order.hold is None:
            if hold.derived and hold.reason is order.reason:
                return []
        elif hold.id == order.hold:
            is_equal = (hold.reason, hold.message, hold.blocks_rebind) == (order.reason, order.message, blocks)
            return [] if is_equal else refuse(Reason.HOLD_ALREADY_EXISTS, hold=hold)
    if refused := refuse_without_room(account):
        return refused
    placed = Hold(
        id=order.hold or occasion.origin.hold_id(0),
        reason=order.reason,
        message=order.message,
        blocks_rebind=blocks,
        placed_by=occasion.actor,
        placed_at=occasion.at,
        derived=order.hold is None,
    )
    return [HoldPlaced(account.id, placed)]


def refuse_without_room(account: Account) -> Rejected | None:
    """Refuse one hold too many."""
    if account.has_room:
        return None
    message = f"An account has at most {HOLDS_MAX} holds, counting the suspensions that are scheduled."
    return Rejected((Refusal(Reason.INVALID_DATA, {"path": ""}, message),))


def reactivate(account: Account, order: ReactivateAccount, occasion: Occasion) -> list[AccountEvent] | Rejected:
    """Release holds by reason, by id, or all of them, on somebody else's word. Profile holds go by themselves only."""
    matching = [hold for hold in account.holds if _is_meant(hold, order)]
    releasable = [hold for hold in matching if hold.reason not in PROFILE_HOLDS]
    everything = order.reason is None and order.hold is None
    refusals = []
    if not (releasable if everything else matching):
        refusals.append(Refusal(Reason.HOLD_NOT_FOUND))
    elif not everything and len(releasable) < len(matching):
        refusals.append(Refusal(Reason.HOLD_NOT_RELEASABLE, {"holds": tuple(matching)}))
    reasons = {order.reason} if order.reason is not None else {hold.reason for hold in releasable}
    is_needed = not reasons or not reasons <= occasion.rules.approval_not_needed_for
    refusals.extend(why_not_approved(order.approval, occasion, is_needed=is_needed))
    if refusals:
        return Rejected(tuple(refusals))
    return [HoldReleased(account.id, hold, occasion.actor, order.approval) for hold in releasable]


def _is_meant(hold: Hold, order: ReactivateAccount) -> bool:
    if order.hold is not None:
        return hold.id == order.hold
    return order.reason is None or hold.reason is order.reason


def why_not_approved(approval: Approval | None, occasion: Occasion, *, is_needed: bool = True) -> list[Refusal]:
    """Approval is somebody else's word, also where none is needed; without a known actor there is no somebody else."""
    if approval is None or occasion.actor is None:
        return [Refusal(Reason.APPROVAL_REQUIRED)] if is_needed else []
    if approval.by == occasion.actor:
        return [Refusal(Reason.APPROVER_IS_ACTOR)]
    return []
