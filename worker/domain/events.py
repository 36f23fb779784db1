"""What happened. Each carries the complete new value of what it changed, so that state is the fold of its events."""

from collections.abc import Mapping
from typing import TypeAlias

from worker.domain.value import value
from worker.domain.values import (
    Approval,
    BindingEnd,
    Contact,
    Hold,
    HoldReason,
    Instant,
    PaymentProfile,
    PaymentTerms,
    Phase,
    ScheduledSuspension,
    Settlement,
    Unpaid,
)


@value
class AccountCreated:
    """An account begins, with all its values."""

    account: str
    currency: str
    display_name: str | None
    contact: Contact | None
    terms: PaymentTerms
    serving: PaymentProfile | None
    labels: Mapping[str, str]


@value
class AccountUpdated:
    """What describes an account is now this."""

    account: str
    display_name: str | None
    contact: Contact | None
    labels: Mapping[str, str]


@value
class CurrencyChanged:
    """The account is charged in another currency."""

    account: str
    currency: str


@value
class PaymentTermsChanged:
    """The account is invoiced on other terms."""

    account: str
    terms: PaymentTerms


@value
class PaymentProfileAttached:
    """A profile serves or waits; both places are given as they now are."""

    account: str
    serving: PaymentProfile | None
    pending: PaymentProfile | None


@value
class PaymentProfileReported:
    """The provider's word changed a profile; both places are given as they now are."""

    account: str
    reported: PaymentProfile
    serving: PaymentProfile | None
    pending: PaymentProfile | None


@value
class PaymentProfileDetached:
    """No profile serves or waits any more."""

    account: str
    serving: PaymentProfile | None
    pending: PaymentProfile | None


@value
class HoldPlaced:
    """One more reason why the account is suspended."""

    account: str
    hold: Hold


@value
class HoldReleased:
    """One reason less. `automatic`: the payment profile became Valid."""

    account: str
    hold: Hold
    released_by: str | None
    approval: Approval | None = None
    automatic: bool = False


@value
class SuspensionScheduled:
    """A suspension will begin by itself, in place of an earlier one for its reason."""

    account: str
    suspension: ScheduledSuspension


@value
class SuspensionCancelled:
    """A scheduled suspension will not begin."""

    account: str
    reason: HoldReason


@value
class PhaseChanged:
    """The account's place in its life changed; `since` is when the phase left had begun."""

    account: str
    left: Phase | None
    entered: Phase
    since: Instant | None
    at: Instant
    reason: str
    holds: tuple[Hold, ...]
    active_bindings: int
    activated_at: Instant | None
    currency: str
    settlement: Settlement | None = None
    approval: Approval | None = None


@value
class AccountDeleted:
    """The account is gone; its history stays."""

    account: str
    phase: Phase
    last_binding_until: Instant | None


@value
class ProjectRegistered:
    """A project is known from now on."""

    project: str


@value
class ProjectDeleted:
    """A project is gone for good; its history stays."""

    project: str


@value
class BindingEstablished:
    """An account pays for a project from `since` on."""

    binding: str
    project: str
    account: str
    since: Instant
    currency: str
    account_sequence: int
    supersedes: str | None = None
    previous_account: str | None = None
    previous_currency: str | None = None


@value
class BindingSuperseded:
    """An account stopped paying because another took over at the same instant."""

    binding: str
    project: str
    account: str
    since: Instant
    until: Instant
    superseded_by: str
    superseded_by_account: str
    currency: str


@value
class BindingReleased:
    """An account stopped paying and nobody took over."""

    binding: str
    project: str
    account: str
    since: Instant
    until: Instant
    end: BindingEnd
    currency: str


@value
class BindingLocked:
    """The payer of a project stays until it is unlocked."""

    binding: str
    project: str
    account: str
    note: str


@value
class BindingUnlocked:
    """The payer of a project may change again."""

    binding: str
    project: str
    account: str
    note: str


@value
class PayerAtRisk:
    """A notice: the payer is suspended since `since`. The binding stays."""

    project: str
    account: str
    phase: Phase
    reasons: tuple[HoldReason, ...]
    since: Instant
    account_sequence: int


@value
class PayerRestored:
    """A notice: the payer that was at risk is Ready since `since`."""

    project: str
    account: str
    phase: Phase
    reasons: tuple[HoldReason, ...]
    since: Instant
    account_sequence: int


@value
class PayerMissing:
    """Nobody pays for the project."""

    project: str
    since: Instant
    reason: Unpaid


AccountEvent: TypeAlias = (
    AccountCreated
    | AccountUpdated
    | CurrencyChanged
    | PaymentTermsChanged
    | PaymentProfileAttached
    | PaymentProfileReported
    | PaymentProfileDetached
    | HoldPlaced
    | HoldReleased
    | SuspensionScheduled
    | SuspensionCancelled
    | PhaseChanged
    | AccountDeleted
)
ProjectEvent: TypeAlias = (
    ProjectRegistered
    | ProjectDeleted
    | BindingEstablished
    | BindingSuperseded
    | BindingReleased
    | BindingLocked
    | BindingUnlocked
    | PayerAtRisk
    | PayerRestored
    | PayerMissing
)
Event: TypeAlias = AccountEvent | ProjectEvent
