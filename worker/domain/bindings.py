"""Bindings: which account pays for a project. Immutable; assigning a project anew supersedes the old one."""

from worker.domain.accounts import Account, version_conflict, why_gone
from worker.domain.commands import KEEP, BindProject, Keep, UnbindProject
from worker.domain.decision import Accepted, Decision, Occasion, Reason, Refusal, Rejected, refuse
from worker.domain.events import (
    BindingEstablished,
    BindingReleased,
    BindingSuperseded,
    PayerMissing,
    ProjectEvent,
    ProjectRegistered,
)
from worker.domain.projects import Project
from worker.domain.values import Binding, BindingEnd, Phase


def bind(
    project: Project | None,
    account: Account | None,
    payer: Account | None,
    order: BindProject,
    expected_version: int | None,
    occasion: Occasion,
) -> Decision:
    """Make an account pay for a project from now on, replacing `payer`, whoever paid before."""
    if refusals := (
        *_why_not_to(account, expected_version),
        *_why_not_for(project, account, payer, order, occasion),
    ):
        return Rejected(refusals)
    assert account is not None  # noqa: S101 - refused above
    old = project.open if project else None
    if old is not None and old.account == account.id:
        return Accepted()
    events: list[ProjectEvent] = [] if project else [ProjectRegistered(order.project)]
    binding = occasion.origin.binding_id(len(events) + (old is not None))
    if old is not None:
        events.append(
            BindingSuperseded(
                binding=old.id,
                project=order.project,
                account=old.account,
                since=old.since,
                until=occasion.at,
                superseded_by=binding,
                superseded_by_account=account.id,
                currency=old.currency,
            )
        )
    events.append(
        BindingEstablished(
            binding=binding,
            project=order.project,
            account=account.id,
            since=occasion.at,
            currency=account.currency,
            account_sequence=account.sequence,
            supersedes=old.id if old else None,
            previous_account=old.account if old else None,
            previous_currency=old.currency if old else None,
        )
    )
    return Accepted(tuple(events))


def unbind(project: Project | None, payer: Account | None, order: UnbindProject, occasion: Occasion) -> Decision:
    """Let nobody pay for a project from now on."""
    if project is not None and project.deleted_at is not None:
        return refuse(Reason.PROJECT_DELETED)
    if project is None and occasion.rules.strict_registry:
        return refuse(Reason.PROJECT_NOT_FOUND)
    if project is None or project.open is None:
        return refuse(Reason.PROJECT_NOT_BOUND)
    old = project.open
    if refusals := (*_changed(old, order.expected_binding), *_why_kept(project, payer)):
        return Rejected(refusals)
    released = BindingReleased(
        binding=old.id,
        project=project.id,
        account=old.account,
        since=old.since,
        until=occasion.at,
        end=BindingEnd.UNBOUND,
        currency=old.currency,
    )
    return Accepted((released, PayerMissing(project.id, occasion.at)))


def _why_not_to(account: Account | None, expected_version: int | None) -> tuple[Refusal, ...]:
    """Why an account does not take a new binding."""
    if gone := why_gone(account):
        return (Refusal(gone),)
    assert account is not None  # noqa: S101 - why_gone says so
    refusals = version_conflict(account.sequence, expected_version)
    if account.phase is not Phase.READY:
        refusals += (Refusal(Reason.ACCOUNT_NOT_READY, {"phase": account.phase, "holds": account.holds}),)
    return refusals


def _why_not_for(
    project: Project | None, account: Account | None, payer: Account | None, order: BindProject, occasion: Occasion
) -> tuple[Refusal, ...]:
    """Why a project does not take this payer."""
    if project is None:
        if occasion.rules.strict_registry:
            return (Refusal(Reason.PROJECT_NOT_FOUND),)
        return _changed(None, order.expected_binding)
    if project.deleted_at is not None:
        return (Refusal(Reason.PROJECT_DELETED),)
    refusals = _changed(project.open, order.expected_binding)
    if project.open is None:
        return refusals
    is_the_payer = account is not None and account.id == project.open.account and account.phase is Phase.READY
    if is_the_payer:
        return refusals
    if not order.supersede:
        details = {"binding": project.open.id, "account": project.open.account}
        refusals += (Refusal(Reason.PROJECT_ALREADY_BOUND, details),)
    return refusals + _why_kept(project, payer)


def _why_kept(project: Project, payer: Account | None) -> tuple[Refusal, ...]:
    """Why a bound project may not leave its payer."""
    refusals: tuple[Refusal, ...] = ()
    if project.locked:
        refusals += (Refusal(Reason.BINDING_LOCKED),)
    if payer is not None and (blocking := payer.blocking_holds):
        refusals += (Refusal(Reason.REBIND_BLOCKED_BY_HOLD, {"account": payer.id, "holds": blocking}),)
    return refusals


def _changed(binding: Binding | None, expected: str | Keep | None) -> tuple[Refusal, ...]:
    if expected is KEEP or expected == (binding.id if binding else None):
        return ()
    return (Refusal(Reason.BINDING_CHANGED, {"binding": binding.id if binding else None}),)
