"""The values that accounts, projects and their events are made of."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha1
from typing import TypeAlias
from uuid import UUID

from worker.domain.value import value

Instant: TypeAlias = datetime
"""A point in lane time: timezone-aware, UTC, whole microseconds."""

MICROSECOND = timedelta(microseconds=1)

SYSTEM_ACTOR = "system:billing-worker"
"""Who places and releases what nobody asked for by name."""


class Phase(StrEnum):
    """Where an account stands in its life."""

    PROVISIONING = "Provisioning"
    READY = "Ready"
    SUSPENDED = "Suspended"
    ARCHIVED = "Archived"


class HoldReason(StrEnum):
    """Why an account is suspended."""

    NON_PAYMENT = "NON_PAYMENT"
    SPENDING_LIMIT_REACHED = "SPENDING_LIMIT_REACHED"
    FRAUD_SUSPECTED = "FRAUD_SUSPECTED"
    POLICY_VIOLATION = "POLICY_VIOLATION"
    COMPLIANCE_HOLD = "COMPLIANCE_HOLD"
    ADMINISTRATIVE = "ADMINISTRATIVE"
    CUSTOMER_REQUESTED = "CUSTOMER_REQUESTED"
    PAYMENT_PROFILE_INVALID = "PAYMENT_PROFILE_INVALID"
    PAYMENT_PROFILE_EXPIRED = "PAYMENT_PROFILE_EXPIRED"
    PAYMENT_PROFILE_MISSING = "PAYMENT_PROFILE_MISSING"


PROFILE_HOLDS = frozenset(
    {
        HoldReason.PAYMENT_PROFILE_INVALID,
        HoldReason.PAYMENT_PROFILE_EXPIRED,
        HoldReason.PAYMENT_PROFILE_MISSING,
    }
)
"""Placed and released by the worker alone, following the payment profile."""

BLOCKING_BY_DEFAULT = frozenset({HoldReason.FRAUD_SUSPECTED, HoldReason.POLICY_VIOLATION, HoldReason.COMPLIANCE_HOLD})
"""Reasons that keep projects from leaving the account unless the command says otherwise."""


HOLDS_MAX = 32
"""How many holds an account has at the most, counting suspensions that are scheduled."""


class ProfileStatus(StrEnum):
    """What the payment provider says of a payment profile."""

    PENDING = "Pending"
    VALID = "Valid"
    INVALID = "Invalid"


class InvalidCause(StrEnum):
    """Why a payment profile is Invalid."""

    EXPIRED = "Expired"
    DECLINED = "Declined"
    REMOVED = "Removed"
    REVOKED = "Revoked"


class InvoiceFrequency(StrEnum):
    """How often an account is invoiced."""

    MONTHLY = "Monthly"
    QUARTERLY = "Quarterly"
    ANNUAL = "Annual"


class BindingEnd(StrEnum):
    """How an interval of paying ended."""

    SUPERSEDED = "SUPERSEDED"
    UNBOUND = "UNBOUND"
    PROJECT_DELETED = "PROJECT_DELETED"


class Unpaid(StrEnum):
    """Why nobody pays for a project."""

    UNBOUND = "UNBOUND"
    REGISTERED = "REGISTERED"


@value
class PaymentTerms:
    """When invoices are made and due; replaced as a whole."""

    net_days: int = 30
    invoice_day_of_month: int = 1
    invoice_frequency: InvoiceFrequency = InvoiceFrequency.MONTHLY


@value
class Contact:
    """Whom to write to about an account; replaced as a whole."""

    email: str
    name: str | None = None


@value
class PaymentProfile:
    """A means of payment, known by the provider's `external_id`."""

    type: str
    external_id: str
    status: ProfileStatus = ProfileStatus.PENDING
    valid_until: Instant | None = None
    cause: InvalidCause | None = None

    @property
    def is_valid(self) -> bool:
        """Whether charges can be made with it."""
        return self.status is ProfileStatus.VALID


@value
class Hold:
    """One reason why an account is suspended.

    `derived` holds were placed without an id of the sender's choice; a second one of the same reason is not placed
    beside them.
    """

    id: str
    reason: HoldReason
    message: str
    blocks_rebind: bool
    placed_by: str | None
    placed_at: Instant
    derived: bool = False


@value
class ScheduledSuspension:
    """A suspension that begins by itself at `due_at`; at most one per account and reason."""

    reason: HoldReason
    due_at: Instant
    message: str
    scheduled_by: str | None
    scheduled_at: Instant


class NoticeKind(StrEnum):
    """What the projects of an account are told about their payer."""

    AT_RISK = "AT_RISK"
    RESTORED = "RESTORED"


@value
class Notices:
    """Notices that an account still owes to its projects, in byte order of their ids; `after` is the last one done."""

    kind: NoticeKind
    after: str = ""


@value
class Approval:
    """Somebody else's word for a release."""

    by: str
    reference: str


@value
class Settlement:
    """Proof that everything was charged through an instant."""

    reference: str
    settled_through: Instant


@value
class Binding:
    """The open interval of a project: who pays, since when."""

    id: str
    account: str
    since: Instant
    currency: str


@value
class Interval:
    """A closed interval `[since, until)` of a project: who paid."""

    binding: str
    account: str
    currency: str
    since: Instant
    until: Instant
    end: BindingEnd


@value
class Position:
    """Where a command lies in the log. Its partition is its lane."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@value
class Rules:
    """What a deployment may set, as it holds for a command."""

    payment_profile_required: bool = True
    strict_registry: bool = False
    suspension_notice: timedelta = timedelta(days=1)
    move_projects_max: int = 5_000
    approval_not_needed_for: frozenset[HoldReason] = frozenset()
    tombstone_after: timedelta = timedelta(days=30)


NO_LABELS: Mapping[str, str] = {}


_VARIANT = "89ab" * 4  # RFC 9562, 5.5: the two highest bits of this digit are 10


def derive_id(installation: UUID, name: str) -> str:
    """UUIDv5 of a name in the installation; uuid.uuid5 costs three times as much, and this runs for every record."""
    digits = sha1(installation.bytes + name.encode()).hexdigest()  # noqa: S324 - RFC 9562 says so
    variant = _VARIANT[int(digits[16], 16)]
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"


@value
class Origin:
    """What everything a command brings about is named after, so that deciding it again gives the same ids."""

    installation: UUID
    organization: str
    command: str
    position: Position
    first_index: int = 0
    _prefix: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_prefix", f"{self.organization}/{self.command}/{self.position}/")

    def event_id(self, index: int) -> str:
        """Id of the command's event number `index`."""
        return self._derive("event", self.first_index + index)

    def binding_id(self, index: int) -> str:
        """Id of the binding established by the command's event number `index`."""
        return self._derive("binding", self.first_index + index)

    def hold_id(self, index: int) -> str:
        """Id of a hold that was given none, placed by the command's event number `index`."""
        return self._derive("hold", self.first_index + index)

    def _derive(self, kind: str, index: int) -> str:
        return derive_id(self.installation, f"{kind}/{self._prefix}{index}")
