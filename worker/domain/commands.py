"""What people may ask for. Their shape was checked when they were read; whether they may happen is for the rules."""

from collections.abc import Mapping
from dataclasses import field
from enum import Enum
from typing import Final, TypeAlias

from worker.domain.value import value
from worker.domain.values import (
    NO_LABELS,
    Approval,
    Contact,
    HoldReason,
    Instant,
    InvalidCause,
    PaymentProfile,
    PaymentTerms,
    Position,
    ProfileStatus,
    Settlement,
)


class Keep(Enum):
    """Stands where a field was absent and absence means something else than null."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP


@value
class CreateAccount:
    """`billing.account.create.v1`."""

    account: str
    currency: str
    display_name: str | None = None
    contact: Contact | None = None
    terms: PaymentTerms = field(default_factory=PaymentTerms)
    profile: PaymentProfile | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: NO_LABELS)


@value
class UpdateAccount:
    """`billing.account.update.v1`: what was absent is kept, None clears."""

    account: str
    display_name: str | Keep | None = KEEP
    contact: Contact | Keep | None = KEEP
    labels: Mapping[str, str] | Keep | None = KEEP


@value
class ChangeCurrency:
    """`billing.account.change-currency.v1`."""

    account: str
    currency: str


@value
class ChangePaymentTerms:
    """`billing.account.change-payment-terms.v1`."""

    account: str
    terms: PaymentTerms


@value
class AttachPaymentProfile:
    """`billing.account.attach-payment-profile.v1`."""

    account: str
    profile: PaymentProfile


@value
class ReportPaymentProfile:
    """`billing.account.report-payment-profile.v1`."""

    account: str
    external_id: str
    status: ProfileStatus
    cause: InvalidCause | None = None
    valid_until: Instant | None = None


@value
class DetachPaymentProfile:
    """`billing.account.detach-payment-profile.v1`."""

    account: str


@value
class SuspendAccount:
    """`billing.account.suspend.v1`."""

    account: str
    reason: HoldReason
    message: str
    hold: str | None = None
    blocks_rebind: bool | None = None


@value
class ReactivateAccount:
    """`billing.account.reactivate.v1`: by reason, by hold, or all when both are None."""

    account: str
    reason: HoldReason | None = None
    hold: str | None = None
    approval: Approval | None = None


@value
class ScheduleSuspension:
    """`billing.account.schedule-suspension.v1`."""

    account: str
    reason: HoldReason
    due_at: Instant
    message: str


@value
class CancelSuspension:
    """`billing.account.cancel-suspension.v1`."""

    account: str
    reason: HoldReason


@value
class ArchiveAccount:
    """`billing.account.archive.v1`."""

    account: str
    settlement: Settlement | None = None
    approval: Approval | None = None


@value
class DeleteAccount:
    """`billing.account.delete.v1`."""

    account: str


@value
class BindProject:
    """`billing.project.bind.v1`. `expected_binding`: KEEP is any, None is unbound."""

    project: str
    account: str
    supersede: bool = True
    expected_binding: str | Keep | None = KEEP


@value
class UnbindProject:
    """`billing.project.unbind.v1`. `expected_binding`: KEEP is any, None is unbound."""

    project: str
    expected_binding: str | Keep | None = KEEP


@value
class LockProject:
    """`billing.project.lock.v1`."""

    project: str
    note: str


@value
class UnlockProject:
    """`billing.project.unlock.v1`."""

    project: str
    note: str


@value
class MoveProjects:
    """`billing.account.move-projects.v1`. `projects`: None is all that the source pays for."""

    source: str
    target: str
    projects: tuple[str, ...] | None = None
    expected_count: int | None = None


@value
class RegisterProject:
    """`billing.project.register.v1`."""

    project: str


@value
class DeleteProject:
    """`billing.project.delete.v1`."""

    project: str


AccountChange: TypeAlias = (
    UpdateAccount
    | ChangeCurrency
    | ChangePaymentTerms
    | AttachPaymentProfile
    | ReportPaymentProfile
    | DetachPaymentProfile
    | SuspendAccount
    | ScheduleSuspension
    | CancelSuspension
    | ReactivateAccount
    | ArchiveAccount
    | DeleteAccount
)
AccountAction: TypeAlias = CreateAccount | AccountChange
ProjectChange: TypeAlias = UnbindProject | LockProject | UnlockProject | RegisterProject | DeleteProject
ProjectAction: TypeAlias = BindProject | ProjectChange
Action: TypeAlias = AccountAction | ProjectAction | MoveProjects


@value
class Command:
    """One readable command with well-formed data, as it lies in the log."""

    organization: str
    id: str
    position: Position
    action: Action
    actor: str | None = None
    expected_version: int | None = None
