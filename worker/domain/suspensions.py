"""Scheduled suspensions: announced in time, then they begin by themselves unless they are taken back."""

from worker.domain.accounts import Account
from worker.domain.commands import CancelSuspension, ScheduleSuspension
from worker.domain.decision import Occasion, Reason, Rejected, refuse
from worker.domain.events import AccountEvent, SuspensionCancelled, SuspensionScheduled
from worker.domain.holds import refuse_without_room
from worker.domain.values import HoldReason, ScheduledSuspension


def schedule(account: Account, order: ScheduleSuspension, occasion: Occasion) -> list[AccountEvent] | Rejected:
    """Announce a suspension, in place of an earlier one for its reason. Announced already: its notice was given."""
    earlier = _for_reason(account, order.reason)
    if earlier is not None and (earlier.due_at, earlier.message) == (order.due_at, order.message):
        return []
    earliest = occasion.at + occasion.rules.suspension_notice
    if order.due_at < earliest:
        return refuse(Reason.NOTICE_TOO_SHORT, earliest=earliest)
    if earlier is None and (refused := refuse_without_room(account)):
        return refused
    suspension = ScheduledSuspension(order.reason, order.due_at, order.message, occasion.actor, occasion.at)
    return [SuspensionScheduled(account.id, suspension)]


def cancel(account: Account, order: CancelSuspension) -> list[AccountEvent] | Rejected:
    """Take an announced suspension back."""
    if _for_reason(account, order.reason) is None:
        return refuse(Reason.SUSPENSION_NOT_SCHEDULED)
    return [SuspensionCancelled(account.id, order.reason)]


def _for_reason(account: Account, reason: HoldReason) -> ScheduledSuspension | None:
    return next((entry for entry in account.scheduled if entry.reason is reason), None)
