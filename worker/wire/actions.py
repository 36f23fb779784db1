"""From the data of a command, as its publisher wrote it, to what the rules are asked."""

from collections.abc import Callable
from typing import Any, Final

from schemas import commands as read
from schemas.commands import parts
from worker.domain.commands import (
    KEEP,
    Action,
    ArchiveAccount,
    AttachPaymentProfile,
    BindProject,
    CancelSuspension,
    ChangeCurrency,
    ChangePaymentTerms,
    CreateAccount,
    DeleteAccount,
    DeleteProject,
    DetachPaymentProfile,
    Keep,
    LockProject,
    MoveProjects,
    ReactivateAccount,
    RegisterProject,
    ReportPaymentProfile,
    ScheduleSuspension,
    SuspendAccount,
    UnbindProject,
    UnlockProject,
    UpdateAccount,
)
from worker.domain.values import (
    NO_LABELS,
    Approval,
    Contact,
    HoldReason,
    InvalidCause,
    InvoiceFrequency,
    PaymentProfile,
    PaymentTerms,
    ProfileStatus,
    Settlement,
)


def _create(data: read.CreateAccount) -> CreateAccount:
    return CreateAccount(
        account=data.account,
        currency=data.currency,
        display_name=data.display_name,
        contact=_contact(data.contact),
        terms=_terms(data.payment_terms) if data.payment_terms else PaymentTerms(),
        profile=_profile(data.payment_profile) if data.payment_profile else None,
        labels=data.labels or NO_LABELS,
    )


def _update(data: read.UpdateAccount) -> UpdateAccount:
    given = data.model_fields_set
    return UpdateAccount(
        account=data.account,
        display_name=data.display_name if "display_name" in given else KEEP,
        contact=_contact(data.contact) if "contact" in given else KEEP,
        labels=data.labels if "labels" in given else KEEP,
    )


def _change_currency(data: read.ChangeCurrency) -> ChangeCurrency:
    return ChangeCurrency(data.account, data.currency)


def _change_payment_terms(data: read.ChangePaymentTerms) -> ChangePaymentTerms:
    return ChangePaymentTerms(data.account, _terms(data.payment_terms))


def _attach(data: read.AttachPaymentProfile) -> AttachPaymentProfile:
    return AttachPaymentProfile(data.account, _profile(data.payment_profile))


def _report(data: read.ReportPaymentProfile) -> ReportPaymentProfile:
    return ReportPaymentProfile(
        account=data.account,
        external_id=data.external_id,
        status=ProfileStatus(data.status),
        cause=InvalidCause(data.cause) if data.cause else None,
        valid_until=data.valid_until,
    )


def _detach(data: read.DetachPaymentProfile) -> DetachPaymentProfile:
    return DetachPaymentProfile(data.account)


def _suspend(data: read.SuspendAccount) -> SuspendAccount:
    return SuspendAccount(data.account, HoldReason(data.reason), data.message, data.hold, data.blocks_rebind)


def _reactivate(data: read.ReactivateAccount) -> ReactivateAccount:
    return ReactivateAccount(
        account=data.account,
        reason=HoldReason(data.reason) if data.reason else None,
        hold=data.hold,
        approval=_approval(data.approval),
    )


def _schedule(data: read.ScheduleSuspension) -> ScheduleSuspension:
    return ScheduleSuspension(data.account, HoldReason(data.reason), data.due_at, data.message)


def _cancel(data: read.CancelSuspension) -> CancelSuspension:
    return CancelSuspension(data.account, HoldReason(data.reason))


def _archive(data: read.ArchiveAccount) -> ArchiveAccount:
    given = data.settlement
    settlement = Settlement(given.reference, given.settled_through) if given else None
    return ArchiveAccount(data.account, settlement, _approval(data.approval))


def _delete(data: read.DeleteAccount) -> DeleteAccount:
    return DeleteAccount(data.account)


def _bind(data: read.BindProject) -> BindProject:
    return BindProject(data.project, data.account, data.on_existing == "supersede", _expected_binding(data))


def _unbind(data: read.UnbindProject) -> UnbindProject:
    return UnbindProject(data.project, _expected_binding(data))


def _lock(data: read.LockProject) -> LockProject:
    return LockProject(data.project, data.note)


def _unlock(data: read.UnlockProject) -> UnlockProject:
    return UnlockProject(data.project, data.note)


def _move(data: read.MoveProjects) -> MoveProjects:
    return MoveProjects(data.from_, data.to, data.projects, data.expected_count)


def _register(data: read.RegisterProject) -> RegisterProject:
    return RegisterProject(data.project)


def _delete_project(data: read.DeleteProject) -> DeleteProject:
    return DeleteProject(data.project)


def _expected_binding(data: read.BindProject | read.UnbindProject) -> str | Keep | None:
    return data.expected_binding if "expected_binding" in data.model_fields_set else KEEP


def _contact(contact: parts.Contact | None) -> Contact | None:
    return Contact(contact.email, contact.name) if contact else None


def _terms(terms: parts.PaymentTerms) -> PaymentTerms:
    return PaymentTerms(terms.net_days, terms.invoice_day_of_month, InvoiceFrequency(terms.invoice_frequency))


def _profile(profile: parts.PaymentProfile) -> PaymentProfile:
    return PaymentProfile(profile.type, profile.external_id, ProfileStatus(profile.status), profile.valid_until)


def _approval(approval: parts.Approval | None) -> Approval | None:
    return Approval(approval.by, approval.reference) if approval else None


ACTIONS: Final[dict[str, Callable[[Any], Action]]] = {
    read.CreateAccount.TYPE: _create,
    read.UpdateAccount.TYPE: _update,
    read.ChangeCurrency.TYPE: _change_currency,
    read.ChangePaymentTerms.TYPE: _change_payment_terms,
    read.AttachPaymentProfile.TYPE: _attach,
    read.ReportPaymentProfile.TYPE: _report,
    read.DetachPaymentProfile.TYPE: _detach,
    read.SuspendAccount.TYPE: _suspend,
    read.ScheduleSuspension.TYPE: _schedule,
    read.CancelSuspension.TYPE: _cancel,
    read.ReactivateAccount.TYPE: _reactivate,
    read.ArchiveAccount.TYPE: _archive,
    read.DeleteAccount.TYPE: _delete,
    read.BindProject.TYPE: _bind,
    read.UnbindProject.TYPE: _unbind,
    read.LockProject.TYPE: _lock,
    read.UnlockProject.TYPE: _unlock,
    read.MoveProjects.TYPE: _move,
    read.RegisterProject.TYPE: _register,
    read.DeleteProject.TYPE: _delete_project,
}
"""How each type but the tick is handed to the rules."""
