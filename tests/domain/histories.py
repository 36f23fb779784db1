"""Random histories of two organizations, and what each of their commands found and left."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from hypothesis import settings
from hypothesis import strategies as st

from tests.domain.given import (
    APPROVAL,
    INSTALLATION,
    NO_PROFILE_NEEDED,
    STRICT,
    attach,
    look_up,
    minute,
    open_account,
    pending,
    reactivate,
    report_invalid,
    report_valid,
    suspend,
    valid,
)
from worker.domain.accounts import Account
from worker.domain.book import Book, Recorded
from worker.domain.commands import (
    Action,
    BindProject,
    ChangeCurrency,
    ChangePaymentTerms,
    Command,
    CreateAccount,
    DeleteAccount,
    DetachPaymentProfile,
    UnbindProject,
    UpdateAccount,
)
from worker.domain.decide import decide
from worker.domain.decision import Accepted, Decision
from worker.domain.values import Approval, HoldReason, Instant, InvalidCause, PaymentTerms, Position, Rules

ORGANIZATIONS = ("acme", "globex")
ACCOUNTS = ("amber", "birch")
PROJECTS = ("atlas", "borealis")
TRUSTING = Rules(approval_not_needed_for=frozenset({HoldReason.NON_PAYMENT}))


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
    yield suspend(HoldReason.ADMINISTRATIVE, "case-2", blocks_rebind=True, account=account)
    yield reactivate(hold="case-1", account=account)
    yield reactivate(reason=HoldReason.PAYMENT_PROFILE_INVALID, account=account)
    for approval in (APPROVAL, APPROVAL, None, Approval("ops", "ticket-8")):
        yield reactivate(approval=approval, account=account)
    yield DeleteAccount(account)


def _on_projects(project: str) -> Iterable[Action]:
    for account in ACCOUNTS * 4:
        yield BindProject(project, account)
    for account in ACCOUNTS:
        yield BindProject(project, account, supersede=False)
        yield BindProject(project, account, expected_binding=None)
    yield UnbindProject(project)
    yield UnbindProject(project, expected_binding=None)


ACTIONS: list[Action] = [
    *(action for account in ACCOUNTS for action in _on_accounts(account)),
    *(action for project in PROJECTS * 2 for action in _on_projects(project)),
]


@dataclass(frozen=True, slots=True)
class Sent:
    """A command as it comes; its place in the history gives it its id, its position and its instant."""

    organization: str
    action: Action
    actor: str | None = "ops"
    expected_version: int | None = None


History: TypeAlias = Sequence[Sent | Rules | None]
"""Commands, and settings that hold from there on. Nothing happens where there is None."""

OPENED: list[Sent | Rules | None] = [Sent(org, open_account(id_)) for org in ORGANIZATIONS for id_ in ACCOUNTS]
POOL: list[Sent | Rules | None] = [
    None,
    *(Sent("acme", action) for action in ACTIONS * 4),
    *(Sent("globex", action) for action in ACTIONS),
    *(Sent("acme", action, actor=None) for action in ACTIONS),
    *(Sent("acme", action, expected_version=version) for action in ACTIONS for version in (3, 4)),
    *[Rules(), Rules(), NO_PROFILE_NEEDED, STRICT, TRUSTING] * 10,
]


def histories() -> st.SearchStrategy[History]:
    """Up to sixty commands, most of the time on accounts that are Ready to begin with."""
    beginnings = st.sampled_from([[], OPENED, OPENED])
    return st.tuples(beginnings, st.lists(st.sampled_from(POOL), min_size=30, max_size=60)).map(
        lambda parts: parts[0] + parts[1]
    )


law = settings(max_examples=60, deadline=None)


@dataclass(frozen=True, slots=True)
class Step:
    """One command: what it found, what was decided, what happened, what it left."""

    command: Command
    at: Instant
    rules: Rules
    before: Book
    decision: Decision
    recorded: list[Recorded]
    after: Book

    @property
    def account(self) -> tuple[str, str] | None:
        """The account that the command is about, if it is about one alone."""
        if isinstance(self.command.action, BindProject | UnbindProject):
            return None
        return self.command.organization, self.command.action.account


def tell(history: History) -> list[Step]:
    """Send every command of a history, one a minute."""
    book, steps = Book(INSTALLATION, Rules()), []
    for n, entry in enumerate(history):
        if entry is None:
            continue
        if isinstance(entry, Rules):
            book.rules = entry
            continue
        position = Position("billing.commands", 4, n)
        command = Command(
            entry.organization, f"command-{n}", position, entry.action, entry.actor, entry.expected_version
        )
        look_up(book, command)
        before = book.copy()
        decision = decide(book, command, minute(n))
        assert book == before, "a decision changes nothing by itself"
        events = decision.events if isinstance(decision, Accepted) else ()
        recorded = book.record(entry.organization, events, minute(n))
        steps.append(Step(command, minute(n), book.rules, before, decision, recorded, book.copy()))
    return steps


def known_accounts(book: Book) -> list[Account]:
    """Every account that exists."""
    return [account for account in book.accounts.values() if account]


def everything(steps: list[Step]) -> list[Recorded]:
    """All that has happened."""
    return [record for step in steps for record in step.recorded]
