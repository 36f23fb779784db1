"""From a command to a decision: finds what the rule needs in the book and hands it over."""

from typing import assert_never

from worker.domain import accounts, bindings, closing, holds, moves, profiles, registry, suspensions
from worker.domain.accounts import Account, Usage, version_conflict, why_gone
from worker.domain.book import Book
from worker.domain.commands import (
    AccountAction,
    AccountChange,
    ArchiveAccount,
    AttachPaymentProfile,
    BindProject,
    CancelSuspension,
    ChangeCurrency,
    ChangePaymentTerms,
    Command,
    CreateAccount,
    DeleteAccount,
    DeleteProject,
    DetachPaymentProfile,
    LockProject,
    MoveProjects,
    ProjectChange,
    ReactivateAccount,
    RegisterProject,
    ReportPaymentProfile,
    ScheduleSuspension,
    SuspendAccount,
    UnbindProject,
    UnlockProject,
    UpdateAccount,
)
from worker.domain.decision import Accepted, Decision, Occasion, Reason, Refusal, Rejected, refuse
from worker.domain.events import AccountEvent
from worker.domain.moves import Moved
from worker.domain.phases import conclude
from worker.domain.values import Instant, Origin

_VERSION_OF_NO_ACCOUNT = Rejected(
    (Refusal(Reason.INVALID_DATA, {"path": "/expectedversion"}, "Only commands on an account have a version."),)
)


def decide(book: Book, command: Command, at: Instant, first_index: int = 0) -> Decision:
    """Judge a command by the rules. Changes nothing: the events of an acceptance are yet to be recorded.

    What was due by then is taken for done; `first_index` is the number of events that it brought about at this
    position of the log. Raises KeyError if the book lacks what the command touches.
    """
    origin = Origin(book.installation, command.organization, command.id, command.position, first_index)
    occasion = Occasion(at, command.actor, origin, book.rules)
    action, organization = command.action, command.organization
    if isinstance(action, BindProject):
        project = book.projects[organization, action.project]
        account = book.accounts[organization, action.account]
        return bindings.bind(project, account, book.payer_of(project), action, command.expected_version, occasion)
    if isinstance(action, MoveProjects):
        return moves.move(action, _moved(book, organization, action), command.expected_version, occasion)
    if isinstance(action, ProjectChange):
        if command.expected_version is not None:
            return _VERSION_OF_NO_ACCOUNT
        return _decide_project(book, organization, action, occasion)
    return _decide_account(book, command, action, occasion)


def _decide_project(book: Book, organization: str, action: ProjectChange, occasion: Occasion) -> Decision:
    project = book.projects[organization, action.project]
    match action:
        case UnbindProject():
            return bindings.unbind(project, book.payer_of(project), action, occasion)
        case LockProject():
            return registry.lock(project, action, occasion)
        case UnlockProject():
            return registry.unlock(project, action, occasion)
        case RegisterProject():
            return registry.register(project, action, occasion)
        case DeleteProject():
            return registry.delete(project, action, occasion)
        case _ as never:
            assert_never(never)


def _moved(book: Book, organization: str, action: MoveProjects) -> Moved:
    source = (organization, action.source)
    if action.projects is None:
        ids, count = sorted(book.bound[source]), book.usage_of(source).active_bindings
    else:
        ids, count = sorted(action.projects), len(action.projects)
    projects = [] if book.is_overlong else [(id_, book.projects[organization, id_]) for id_ in ids]
    target = book.accounts[organization, action.target]
    return Moved(book.accounts[source], target, projects, count, book.is_overlong)


def _decide_account(book: Book, command: Command, action: AccountAction, occasion: Occasion) -> Decision:
    if past := profiles.refuse_past(action, occasion.at):
        return past
    key = (command.organization, action.account)
    account, usage = book.accounts[key], book.usage_of(key)
    facts: list[AccountEvent] | Rejected
    if isinstance(action, CreateAccount):
        facts = accounts.create(account, action)
    elif gone := why_gone(account, archived_too=not isinstance(action, DeleteAccount)):
        return refuse(gone)
    else:
        assert account is not None  # noqa: S101 - why_gone says so
        facts = _facts(book, account, usage, action, occasion)
    # Whoever creates expects nothing to be there, whatever is.
    sequence = 0 if account is None or isinstance(action, CreateAccount) else account.sequence
    conflict = version_conflict(sequence, command.expected_version)
    match facts:
        case Rejected(refusals):
            return Rejected(conflict + refusals)
        case _ if conflict:
            return Rejected(conflict)
        case _ if isinstance(action, ArchiveAccount):
            return Accepted(tuple(facts))
        case _:
            approval = action.approval if isinstance(action, ReactivateAccount) else None
            return Accepted(tuple(conclude(account, facts, usage, occasion, approval=approval)))


def _facts(
    book: Book, account: Account, usage: Usage, action: AccountChange, occasion: Occasion
) -> list[AccountEvent] | Rejected:
    key = (account.organization, account.id)
    match action:
        case UpdateAccount():
            return accounts.update(account, action)
        case ChangeCurrency():
            return accounts.change_currency(account, action)
        case ChangePaymentTerms():
            return accounts.change_payment_terms(account, action)
        case AttachPaymentProfile():
            return profiles.attach(account, action)
        case ReportPaymentProfile():
            return profiles.report(account, action, occasion)
        case DetachPaymentProfile():
            return profiles.detach(account, usage)
        case SuspendAccount() | ReactivateAccount() | ScheduleSuspension() | CancelSuspension():
            return _hold_facts(account, action, occasion)
        case ArchiveAccount():
            return closing.archive(account, action, usage, book.sample_of(key), occasion)
        case DeleteAccount():
            return closing.delete(account, usage, book.sample_of(key))
        case _ as never:
            assert_never(never)


def _hold_facts(
    account: Account,
    action: SuspendAccount | ReactivateAccount | ScheduleSuspension | CancelSuspension,
    occasion: Occasion,
) -> list[AccountEvent] | Rejected:
    match action:
        case SuspendAccount():
            return holds.suspend(account, action, occasion)
        case ReactivateAccount():
            return holds.reactivate(account, action, occasion)
        case ScheduleSuspension():
            return suspensions.schedule(account, action, occasion)
        case CancelSuspension():
            return suspensions.cancel(account, action)
        case _ as never:
            assert_never(never)
