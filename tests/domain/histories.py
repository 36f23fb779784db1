"""Random histories of two organizations, and what each of their commands found and left."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TypeAlias

from hypothesis import settings
from hypothesis import strategies as st

from tests.domain.due_work import let_fall_due
from tests.domain.given import (
    APPROVAL,
    HASTY,
    INSTALLATION,
    UNKNOWN_BINDING,
    archive,
    attach,
    look_up,
    minute,
    open_account,
    pending,
    reactivate,
    report_invalid,
    report_valid,
    schedule,
    suspend,
    valid,
)
from worker.domain.accounts import Account
from worker.domain.book import Book, Recorded
from worker.domain.commands import (
    Action,
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
    ProjectAction,
    RegisterProject,
    UnbindProject,
    UnlockProject,
    UpdateAccount,
)
from worker.domain.decide import decide
from worker.domain.decision import Accepted, Decision
from worker.domain.values import (
    Approval,
    HoldReason,
    Instant,
    InvalidCause,
    Origin,
    PaymentTerms,
    Position,
    Rules,
)

ORGANIZATIONS = ("acme", "globex")
ACCOUNTS = ("amber", "birch")
PROJECTS = ("atlas", "borealis", "cedar")
SETTINGS = (
    HASTY,
    HASTY,
    replace(HASTY, payment_profile_required=False),
    replace(HASTY, strict_registry=True),
    replace(HASTY, approval_not_needed_for=frozenset({HoldReason.NON_PAYMENT})),
    replace(HASTY, move_projects_max=1),
)


def _on_accounts(account: str) -> Iterable[Action]:
    yield open_account(account, "EUR")
    yield open_account(account, "USD")
    yield CreateAccount(account, "EUR")
    yield CreateAccount(account, "EUR", profile=pending("card-1", minute(20)))
    yield CreateAccount(account, "EUR", profile=valid("card-1", minute(20)))
    yield UpdateAccount(account)
    yield UpdateAccount(account, display_name="Amber", labels={"team": "a"})
    yield UpdateAccount(account, display_name=None)
    yield ChangeCurrency(account, "EUR")
    yield ChangeCurrency(account, "JPY")
    yield ChangePaymentTerms(account, PaymentTerms(net_days=7))
    for profile in (valid("card-1"), valid("card-2", minute(20)), pending("card-2"), pending("card-3", minute(20))):
        yield attach(profile, account)
    for card in ("card-1", "card-2", "card-3"):
        yield report_valid(card, account=account)
        yield report_invalid(card, account=account)
    yield report_valid("card-1", minute(20), account=account)
    yield report_invalid("card-1", InvalidCause.EXPIRED, account=account)
    yield DetachPaymentProfile(account)
    for reason in (HoldReason.NON_PAYMENT, HoldReason.FRAUD_SUSPECTED):
        yield suspend(reason, account=account)
        yield suspend(reason, "case-1", account=account)
        yield reactivate(reason=reason, account=account)
        for due_at in (minute(15), minute(25), minute(35), minute(45)):
            yield schedule(reason, due_at=due_at, account=account)
        yield schedule(reason, due_at=minute(25), message="Last call.", account=account)
        yield CancelSuspension(account, reason)
    yield suspend(HoldReason.ADMINISTRATIVE, "case-2", blocks_rebind=True, account=account)
    yield reactivate(hold="case-1", account=account)
    yield reactivate(reason=HoldReason.PAYMENT_PROFILE_INVALID, account=account)
    for approval in (APPROVAL, APPROVAL, None, Approval("ops", "ticket-8")):
        yield reactivate(approval=approval, account=account)
    yield DeleteAccount(account)
    for settled_through in (None, minute(15), minute(50)):
        yield archive(settled_through, account=account)
    yield archive(minute(25), approval=None, account=account)


def _on_projects(project: str) -> Iterable[Action]:
    for account in ACCOUNTS:
        yield BindProject(project, account, supersede=False)
        yield BindProject(project, account, expected_binding=None)
    yield UnbindProject(project)
    yield UnbindProject(project, expected_binding=None)
    yield BindProject(project, "amber", expected_binding=UNKNOWN_BINDING)
    yield LockProject(project, "Keep it.")
    yield UnlockProject(project, "Let it go.")
    yield RegisterProject(project)
    yield DeleteProject(project)


def _moves() -> Iterable[Action]:
    for source, target in (ACCOUNTS, ACCOUNTS[::-1]):
        yield MoveProjects(source, target)
        yield MoveProjects(source, target, PROJECTS[:1])
        yield MoveProjects(source, target, PROJECTS[1::-1])
        yield MoveProjects(source, target, PROJECTS, expected_count=3)
        yield MoveProjects(source, target, expected_count=1)
        yield MoveProjects(source, target, PROJECTS[1:], expected_count=1)
    yield MoveProjects("amber", "amber")
    yield MoveProjects("nobody", "nobody", PROJECTS)
    yield MoveProjects("nobody", "birch", ("dahlia", "atlas"), expected_count=1)
    yield MoveProjects("amber", "nobody", expected_count=9)


def _often() -> Iterable[Action]:
    """What keeps a history going: most of what is random is refused before long."""
    for account, other in (ACCOUNTS, ACCOUNTS[::-1]):
        yield reactivate(account=account)
        yield attach(valid("card-1"), account)
        yield attach(valid("card-2", minute(40)), account)
        yield report_valid("card-1", account=account)
        yield MoveProjects(account, other)
        for project in PROJECTS:
            yield BindProject(project, account)
            yield MoveProjects(account, other, (project,))
    for project in PROJECTS:
        yield UnlockProject(project, "Let it go.")
        yield LockProject(project, "Keep it.")
        yield UnbindProject(project)


ACTIONS: list[Action] = [
    *(action for account in ACCOUNTS for action in _on_accounts(account)),
    *(action for project in PROJECTS for action in _on_projects(project)),
    *_moves(),
    *[*_often()] * 6,
]


@dataclass(frozen=True, slots=True)
class Sent:
    """A command as it comes; its place in the history gives it its id, its position and its instant."""

    organization: str
    action: Action
    actor: str | None = "ops"
    expected_version: int | None = None


History: TypeAlias = Sequence[Sent | Rules | None]
"""Commands, settings that hold from there on, and ticks: None."""

OPENED: list[Sent | Rules | None] = [Sent(org, open_account(id_)) for org in ORGANIZATIONS for id_ in ACCOUNTS]
UNPAID: list[Sent | Rules | None] = [
    Sent(organization, order)
    for organization in ORGANIZATIONS
    for order in (CreateAccount("amber", "EUR"), CreateAccount("birch", "EUR", profile=pending("card-2")))
]
"""Accounts that are Ready to begin with, and such that are not yet."""
POOL: list[Sent | Rules | None] = [
    *[None] * 40,
    *(Sent("acme", action) for action in ACTIONS * 6),
    *(Sent("globex", action) for action in ACTIONS),
    *(Sent("acme", action, actor=None) for action in ACTIONS),
    *(Sent("acme", action, expected_version=version) for action in ACTIONS for version in (3, 4)),
    *SETTINGS * 10,
]


def histories() -> st.SearchStrategy[History]:
    """Up to eighty commands, most of the time on accounts that are Ready to begin with, else on such that are not yet.

    Those drawn evenly by a seed reach further; the others are made smaller when they fail.
    """
    beginnings = st.sampled_from([[], UNPAID, OPENED, OPENED, OPENED])
    small = st.tuples(beginnings, st.lists(st.sampled_from(POOL), min_size=30, max_size=60)).map(
        lambda parts: parts[0] + parts[1]
    )
    return small | st.integers(min_value=0).map(seeded)


def seeded(seed: int) -> History:
    """Eighty commands; in a third of the histories none of the accounts is Ready to begin with."""
    random = Random(seed)  # noqa: S311 - no secret
    return random.choice((OPENED, OPENED, UNPAID)) + random.choices(POOL, k=80)


law = settings(max_examples=60, deadline=None)


@dataclass(frozen=True, slots=True)
class Step:
    """A command, or a tick without one: what was due, what it found, what was decided and happened, what it left."""

    command: Command | None
    at: Instant
    rules: Rules
    due: list[Recorded]
    before: Book
    decision: Decision
    recorded: list[Recorded]
    after: Book

    @property
    def account(self) -> tuple[str, str] | None:
        """The account that the command is about, if it is about one alone."""
        if self.command is None or isinstance(self.command.action, ProjectAction | MoveProjects):
            return None
        return self.command.organization, self.command.action.account


def tell(history: History, notices_max: int = 1) -> list[Step]:
    """Send every command of a history, one a minute. Notices are given to few projects at a time."""
    book, steps = Book(INSTALLATION, HASTY), []
    for n, entry in enumerate(history):
        if isinstance(entry, Rules):
            book.rules = entry
            continue
        organization = entry.organization if entry else "billing-worker"
        origin = Origin(INSTALLATION, organization, f"command-{n}", Position("billing.commands", 4, n))
        if entry is None:
            due = let_fall_due(book, minute(n), origin, notices_max)
            steps.append(Step(None, minute(n), book.rules, due, book.copy(), Accepted(), [], book.copy()))
            continue
        command = Command(
            organization, origin.command, origin.position, entry.action, entry.actor, entry.expected_version
        )
        look_up(book, command)
        due = let_fall_due(book, minute(n), origin, notices_max)
        before = book.copy()
        decision = decide(book, command, minute(n), len(due))
        assert book == before, "a decision changes nothing by itself"
        events = decision.events if isinstance(decision, Accepted) else ()
        recorded = book.record(organization, events, minute(n))
        steps.append(Step(command, minute(n), book.rules, due, before, decision, recorded, book.copy()))
    return steps


def known_accounts(book: Book) -> list[Account]:
    """Every account that exists."""
    return [account for account in book.accounts.values() if account]


def everything(steps: list[Step]) -> list[Recorded]:
    """All that has happened."""
    return [record for step in steps for record in (*step.due, *step.recorded)]
