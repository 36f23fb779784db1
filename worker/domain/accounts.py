"""An account, how events change it, and the commands about its own values."""

from collections.abc import Mapping
from dataclasses import field, replace
from typing import assert_never

from worker.domain.commands import (
    KEEP,
    ChangeCurrency,
    ChangePaymentTerms,
    CreateAccount,
    UpdateAccount,
)
from worker.domain.decision import Reason, Refusal, Rejected, refuse
from worker.domain.events import (
    AccountCreated,
    AccountDeleted,
    AccountEvent,
    AccountUpdated,
    CurrencyChanged,
    HoldPlaced,
    HoldReleased,
    PaymentProfileAttached,
    PaymentProfileDetached,
    PaymentProfileReported,
    PaymentTermsChanged,
    PhaseChanged,
    SuspensionCancelled,
    SuspensionScheduled,
)
from worker.domain.value import value
from worker.domain.values import (
    HOLDS_MAX,
    NO_LABELS,
    Contact,
    Hold,
    HoldReason,
    Instant,
    NoticeKind,
    Notices,
    PaymentProfile,
    PaymentTerms,
    Phase,
    ScheduledSuspension,
)


@value
class Account:
    """One billing account as it stands. `sequence` is the number of its last event.

    `holds` are in the order in which they were placed, `scheduled` in that in which they begin (then by reason).
    `notices` are those that its projects are still to be given.
    """

    organization: str
    id: str
    sequence: int
    phase: Phase
    phase_since: Instant
    currency: str
    terms: PaymentTerms
    display_name: str | None = None
    contact: Contact | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: NO_LABELS)
    activated_at: Instant | None = None
    serving: PaymentProfile | None = None
    pending: PaymentProfile | None = None
    holds: tuple[Hold, ...] = ()
    scheduled: tuple[ScheduledSuspension, ...] = ()
    deleted_at: Instant | None = None
    notices: Notices | None = None

    @property
    def has_room(self) -> bool:
        """Whether one more hold may be placed or scheduled: a suspension that comes due must find its place."""
        return len(self.holds) + len(self.scheduled) < HOLDS_MAX

    @property
    def blocking_holds(self) -> tuple[Hold, ...]:
        """The holds that keep its projects from leaving, and itself from being deleted."""
        return tuple(hold for hold in self.holds if hold.blocks_rebind)


@value
class Usage:
    """How many projects an account pays for, and when the last one left."""

    active_bindings: int = 0
    last_until: Instant | None = None


def evolve(account: Account | None, event: AccountEvent, organization: str, at: Instant) -> Account:
    """The account after the event."""
    if isinstance(event, AccountCreated):
        return Account(
            organization=organization,
            id=event.account,
            sequence=1,
            phase=Phase.PROVISIONING,
            phase_since=at,
            currency=event.currency,
            terms=event.terms,
            display_name=event.display_name,
            contact=event.contact,
            labels=event.labels,
            serving=event.serving,
        )
    if account is None:
        msg = f"{type(event).__name__} of an account that was never created"
        raise ValueError(msg)
    sequence = account.sequence + 1
    match event:
        case AccountUpdated():
            return replace(
                account,
                sequence=sequence,
                display_name=event.display_name,
                contact=event.contact,
                labels=event.labels,
            )
        case CurrencyChanged():
            return replace(account, sequence=sequence, currency=event.currency)
        case PaymentTermsChanged():
            return replace(account, sequence=sequence, terms=event.terms)
        case PaymentProfileAttached() | PaymentProfileReported() | PaymentProfileDetached():
            return replace(account, sequence=sequence, serving=event.serving, pending=event.pending)
        case HoldPlaced() | HoldReleased() | SuspensionScheduled() | SuspensionCancelled():
            holds, scheduled = _held(account, event)
            return replace(account, sequence=sequence, holds=holds, scheduled=scheduled)
        case PhaseChanged():
            return replace(
                account,
                sequence=sequence,
                phase=event.entered,
                phase_since=event.at,
                activated_at=event.activated_at,
                notices=_owed(event),
            )
        case AccountDeleted():
            return replace(account, sequence=sequence, deleted_at=at, scheduled=(), notices=None)
        case _ as never:
            assert_never(never)


def _held(
    account: Account, event: HoldPlaced | HoldReleased | SuspensionScheduled | SuspensionCancelled
) -> tuple[tuple[Hold, ...], tuple[ScheduledSuspension, ...]]:
    """The holds and the scheduled suspensions after the event. A hold ends the schedule of its reason that is due."""
    holds, scheduled = account.holds, account.scheduled
    match event:
        case HoldPlaced(hold=hold):
            waiting = (entry for entry in scheduled if entry.reason is not hold.reason or entry.due_at > hold.placed_at)
            return (*holds, hold), tuple(waiting)
        case HoldReleased():
            return tuple(hold for hold in holds if hold.id != event.hold.id), scheduled
        case SuspensionScheduled(suspension=suspension):
            entries = (*_without(scheduled, suspension.reason), suspension)
            return holds, tuple(sorted(entries, key=_begins))
        case SuspensionCancelled():
            return holds, _without(scheduled, event.reason)
        case _ as never:
            assert_never(never)


def _without(scheduled: tuple[ScheduledSuspension, ...], reason: HoldReason) -> tuple[ScheduledSuspension, ...]:
    return tuple(entry for entry in scheduled if entry.reason is not reason)


def _begins(entry: ScheduledSuspension) -> tuple[Instant, HoldReason]:
    return entry.due_at, entry.reason


def _owed(change: PhaseChanged) -> Notices | None:
    """What the account's projects are to be told of this change."""
    if not change.active_bindings:
        return None
    if change.entered is Phase.SUSPENDED:
        return Notices(NoticeKind.AT_RISK)
    if change.entered is Phase.READY and change.left is Phase.SUSPENDED:
        return Notices(NoticeKind.RESTORED)
    return None


def why_gone(account: Account | None, *, archived_too: bool = True) -> Reason | None:
    """Why nothing can be asked of this account any more, if so."""
    if account is None:
        return Reason.ACCOUNT_NOT_FOUND
    if account.deleted_at is not None:
        return Reason.ACCOUNT_DELETED
    if archived_too and account.phase is Phase.ARCHIVED:
        return Reason.ACCOUNT_ARCHIVED
    return None


def version_conflict(sequence: int, expected: int | None) -> tuple[Refusal, ...]:
    """The refusal of a command that was written against another version, if it was."""
    if expected is None or expected == sequence:
        return ()
    return (Refusal(Reason.VERSION_CONFLICT, {"expected": expected, "actual": sequence}),)


def create(account: Account | None, order: CreateAccount) -> list[AccountEvent] | Rejected:
    """Begin an account. An id is never used twice."""
    if account is not None:
        return refuse(Reason.ACCOUNT_ALREADY_EXISTS)
    return [
        AccountCreated(
            account=order.account,
            currency=order.currency,
            display_name=order.display_name,
            contact=order.contact,
            terms=order.terms,
            serving=order.profile,
            labels=order.labels,
        )
    ]


def update(account: Account, order: UpdateAccount) -> list[AccountEvent]:
    """Change what describes an account: absent keeps, null clears."""
    event = AccountUpdated(
        account=account.id,
        display_name=account.display_name if order.display_name is KEEP else order.display_name,
        contact=account.contact if order.contact is KEEP else order.contact,
        labels=account.labels if order.labels is KEEP else order.labels or NO_LABELS,
    )
    same = (event.display_name, event.contact, event.labels) == (account.display_name, account.contact, account.labels)
    return [] if same else [event]


def change_currency(account: Account, order: ChangeCurrency) -> list[AccountEvent] | Rejected:
    """Charge in another currency, as long as the account was never active."""
    if order.currency == account.currency:
        return []
    if account.activated_at is not None:
        return refuse(Reason.CURRENCY_LOCKED)
    return [CurrencyChanged(account.id, order.currency)]


def change_payment_terms(account: Account, order: ChangePaymentTerms) -> list[AccountEvent]:
    """Invoice on other terms from now on."""
    return [] if order.terms == account.terms else [PaymentTermsChanged(account.id, order.terms)]
