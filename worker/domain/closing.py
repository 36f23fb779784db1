"""The end of an account: archived for good once everything is charged, or deleted."""

from worker.domain.accounts import Account, Usage
from worker.domain.commands import ArchiveAccount
from worker.domain.decision import Occasion, Reason, Refusal, Rejected
from worker.domain.events import AccountDeleted, AccountEvent, SuspensionCancelled
from worker.domain.holds import why_not_approved
from worker.domain.phases import close
from worker.domain.values import Settlement


def archive(
    account: Account, order: ArchiveAccount, usage: Usage, sample: list[str], occasion: Occasion
) -> list[AccountEvent] | Rejected:
    """Close an account for good, on somebody else's word. What was scheduled for it will not begin."""
    refusals = (
        *_still_bound(usage, sample),
        *_why_not_settled(order.settlement, usage, occasion),
        *why_not_approved(order.approval, occasion),
    )
    if refusals:
        return Rejected(refusals)
    facts: list[AccountEvent] = [SuspensionCancelled(account.id, entry.reason) for entry in account.scheduled]
    return close(account, facts, usage, occasion, order.approval, order.settlement)


def delete(account: Account, usage: Usage, sample: list[str]) -> list[AccountEvent] | Rejected:
    """End an account that pays for nobody any more and that no hold demands to stay."""
    refusals = _still_bound(usage, sample)
    if blocking := account.blocking_holds:
        refusals += (Refusal(Reason.DELETE_BLOCKED_BY_HOLD, {"holds": blocking}),)
    if refusals:
        return Rejected(refusals)
    return [AccountDeleted(account.id, account.phase, usage.last_until)]


def _still_bound(usage: Usage, sample: list[str]) -> tuple[Refusal, ...]:
    if not usage.active_bindings:
        return ()
    return (Refusal(Reason.ACTIVE_BINDINGS, {"count": usage.active_bindings, "sample": sample}),)


def _why_not_settled(settlement: Settlement | None, usage: Usage, occasion: Occasion) -> tuple[Refusal, ...]:
    """What was ever paid for must be charged through its end; nothing can be charged ahead of time."""
    needed = usage.last_until
    if settlement is None:
        is_settled = needed is None
    else:
        is_settled = (needed is None or needed <= settlement.settled_through) and (
            settlement.settled_through <= occasion.at
        )
    return () if is_settled else (Refusal(Reason.SETTLEMENT_REQUIRED, {"needed": needed}),)
