"""Random commands over a few accounts and projects, so that every rule is met sooner or later."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

from worker.domain.book import Book, Key, Recorded
from worker.domain.commands import (
    AccountAction,
    Action,
    AttachPaymentProfile,
    BindProject,
    ChangeCurrency,
    ChangePaymentTerms,
    Command,
    CreateAccount,
    DeleteAccount,
    DetachPaymentProfile,
    ProjectAction,
    ReactivateAccount,
    ReportPaymentProfile,
    SuspendAccount,
    UnbindProject,
    UpdateAccount,
)
from worker.domain.decide import decide
from worker.domain.decision import Accepted
from worker.domain.values import (
    Approval,
    Contact,
    HoldReason,
    InvalidCause,
    InvoiceFrequency,
    PaymentProfile,
    PaymentTerms,
    Position,
    ProfileStatus,
    Rules,
)
from worker.store.book import Needs

INSTALLATION = UUID(int=7)
RULES = Rules()
START = datetime(2026, 1, 1, tzinfo=UTC)
ORGANIZATIONS = ("acme", "umbrella")
ACCOUNTS = ("main", "spare", "a-third-one")
PROJECTS = ("site", "shop", "site-2", "z", "0")


def keys(names: tuple[str, ...]) -> set[Key]:
    return {(organization, name) for organization in ORGANIZATIONS for name in names}


def empty_book() -> Book:
    return Book(
        INSTALLATION,
        RULES,
        accounts=dict.fromkeys(keys(ACCOUNTS)),
        projects=dict.fromkeys(keys(PROJECTS)),
    )


def commands(random: Random, count: int) -> Iterator[Command]:
    for offset in range(count):
        position = Position("commands", 0, offset)
        action = project_action(random) if random.random() < 0.6 else account_action(random, offset)
        yield Command(random.choice(ORGANIZATIONS), f"c{offset}", position, action, actor=random.choice(["jo", None]))


def project_action(random: Random) -> Action:
    project = random.choice(PROJECTS)
    return random.choice([BindProject(project, random.choice(ACCOUNTS))] * 3 + [UnbindProject(project)])


def account_action(random: Random, offset: int) -> Action:
    account, external_id = random.choice(ACCOUNTS), random.choice(["card-1", "card-2"])
    status = random.choice([ProfileStatus.VALID, ProfileStatus.VALID, ProfileStatus.PENDING])
    ends = random.choice([None, START + timedelta(days=offset)])
    profile = PaymentProfile("card", external_id, status, ends)
    contact = random.choice([None, Contact("jo@example.com"), Contact("jo@example.com", "Jö")])
    labels = {name: str(offset) for name in random.sample(["z", "team", "a b", "q\"'\\"], random.randrange(4))}
    reason = random.choice([HoldReason.NON_PAYMENT, HoldReason.FRAUD_SUSPECTED])
    hold = random.choice([None, "H.1", "h_2"])
    is_valid = random.random() < 0.6
    terms = PaymentTerms(random.randrange(1, 366), random.randrange(1, 29), random.choice(list(InvoiceFrequency)))
    actions: list[AccountAction] = [
        CreateAccount(account, "EUR", random.choice([None, "Main \N{SNOWMAN}"]), contact, terms, profile, labels),
        CreateAccount(account, "EUR", profile=profile),
        UpdateAccount(account, contact=contact, labels=labels),
        ChangeCurrency(account, random.choice(["USD", "EUR"])),
        ChangePaymentTerms(account, terms),
        AttachPaymentProfile(account, profile),
        AttachPaymentProfile(account, profile),
        ReportPaymentProfile(
            account,
            external_id,
            ProfileStatus.VALID if is_valid else ProfileStatus.INVALID,
            cause=None if is_valid else random.choice(list(InvalidCause)),
        ),
        DetachPaymentProfile(account),
        SuspendAccount(account, reason, "late again", hold),
        ReactivateAccount(account, approval=Approval("boss", "ticket 7")),
        ReactivateAccount(account, reason=reason, approval=Approval("boss", "ticket 8")),
        *([DeleteAccount(account)] if random.random() < 0.2 else []),
    ]
    return random.choice(actions)


def needs_of(batch: list[Command]) -> Needs:
    needs = Needs(set(), set(), {})
    for command in batch:
        if isinstance(command.action, AccountAction | BindProject):
            needs.accounts.add((command.organization, command.action.account))
        if isinstance(command.action, ProjectAction):
            needs.projects.add((command.organization, command.action.project))
        if isinstance(command.action, DeleteAccount):
            needs.samples[command.organization, command.action.account] = len(batch)
    return needs


def decide_all(book: Book, batch: list[Command]) -> list[Recorded]:
    """Let the commands happen to the book, hours apart."""
    recorded: list[Recorded] = []
    for command in batch:
        at = START + timedelta(hours=command.position.offset)
        decision = decide(book, command, at)
        if isinstance(decision, Accepted):
            recorded += book.record(command.organization, decision.events, at)
    return recorded


def cut(random: Random, history: list[Command]) -> Iterator[list[Command]]:
    """The history in batches of random size."""
    start = 0
    while start < len(history):
        size = random.choice([1, 2, 5, 20, 60])
        yield history[start : start + size]
        start += size
