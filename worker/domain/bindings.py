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
from worker.domain.values import Binding, BindingEnd, Phase, Unpaid


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
    events += established(order.project, old, account, occasion, len(events))
    return Accepted(tuple(events))


def unbind(project: Project | None, payer: Account | None, order: UnbindProject, occasion: Occasion) -> Decision:
    """Let nobody pay for a project from now on."""
    bound = bound_project(project, occasion)
    if isinstance(bound, Rejected):
        return bound
    known, old = bound
    if refusals := (*_changed(old, order.expected_binding), *_why_kept(known, payer)):
        return Rejected(refusals)
    missing = PayerMissing(known.id, occasion.at, Unpaid.UNBOUND)
    return Accepted((released(known, old, occasion, BindingEnd.UNBOUND), missing))


def bound_project(project: Project | None, occasion: Occasion) -> tuple[Project, Binding] | Rejected:
    """A project with its open binding, for what needs one; or why there is none."""
    if project is None:
        strict = occasion.rules.strict_registry
        return refuse(Reason.PROJECT_NOT_FOUND if strict else Reason.PROJECT_NOT_BOUND)
    if project.deleted_at is not None:
        return refuse(Reason.PROJECT_DELETED)
    if project.open is None:
        return refuse(Reason.PROJECT_NOT_BOUND)
    return project, project.open


def released(project: Project, binding: Binding, occasion: Occasion, end: BindingEnd) -> BindingReleased:
    """The end of a binding that nobody takes over."""
    return BindingReleased(
        binding=binding.id,
        project=project.id,
        account=binding.account,
        since=binding.since,
        until=occasion.at,
        end=end,
        currency=binding.currency,
    )


def established(
    project: str, old: Binding | None, account: Account, occasion: Occasion, index: int
) -> list[ProjectEvent]:
    """A new binding, after the end of the one that it replaces. `index`: how many events of the command came before."""
    events: list[ProjectEvent] = []
    binding = occasion.origin.binding_id(index + (old is not None))
    if old is not None:
        events.append(
            BindingSuperseded(
                binding=old.id,
                project=project,
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
            project=project,
            account=account.id,
            since=occasion.at,
            currency=account.currency,
            account_sequence=account.sequence,
            supersedes=old.id if old else None,
            previous_account=old.account if old else None,
            previous_currency=old.currency if old else None,
        )
    )
    return events


def _why_not_to(account: Account | None, expected_version: int | None) -> tuple[Refusal, ...]:
    """Why an account does not take a new binding."""
    if gone := why_gone(account):
        return (Refusal(gone),)
    assert account is not None  # noqa: S101 - why_gone says so
    refusals = version_conflict(account.sequence, expected_version)
    return refusals if account.phase is Phase.READY else (*refusals, not_ready(account))


def not_ready(account: Account) -> Refusal:
    """The refusal of a new binding by an account that takes none."""
    return Refusal(Reason.ACCOUNT_NOT_READY, {"phase": account.phase, "holds": account.holds})


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
    return refusals if payer is None else refusals + blocked_by_hold(payer)


def blocked_by_hold(payer: Account) -> tuple[Refusal, ...]:
    """The refusal to let projects leave their payer, if a hold on it demands that."""
    if blocking := payer.blocking_holds:
        return (Refusal(Reason.REBIND_BLOCKED_BY_HOLD, {"account": payer.id, "holds": blocking}),)
    return ()


def _changed(binding: Binding | None, expected: str | Keep | None) -> tuple[Refusal, ...]:
    if expected is KEEP or expected == (binding.id if binding else None):
        return ()
    return (Refusal(Reason.BINDING_CHANGED, {"binding": binding.id if binding else None}),)
