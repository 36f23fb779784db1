"""Random commands over a few accounts and projects, so that every rule is met sooner or later."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

from worker.domain.book import Book, Key, Recorded
from worker.domain.commands import (
    AccountAction,
    Action,
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
    ProjectAction,
    ReactivateAccount,
    RegisterProject,
    ReportPaymentProfile,
    ScheduleSuspension,
    SuspendAccount,
    UnbindProject,
    UnlockProject,
    UpdateAccount,
)
from worker.domain.decide import decide
from worker.domain.decision import Accepted
from worker.domain.values import (
    Approval,
    Contact,
    HoldReason,
    Instant,
    InvalidCause,
    InvoiceFrequency,
    PaymentProfile,
    PaymentTerms,
    Position,
    ProfileStatus,
    Rules,
    Settlement,
)
from worker.store.book import Needs

INSTALLATION = UUID(int=7)
RULES = Rules(suspension_notice=timedelta(hours=2), tombstone_after=timedelta(days=1))
START = datetime(2026, 1, 1, tzinfo=UTC)
ORGANIZATIONS = ("acme", "umbrella")
ACCOUNTS = ("main", "spare", "a-third-one")
PROJECTS = ("site", "shop", "site-2", "z", "0", "y", "x1", "x2", "x3")


def keys(names: tuple[str, ...]) -> set[Key]:
    return {(organization, name) for organization in ORGANIZATIONS for name in names}


def empty_book() -> Book:
    return Book(
        INSTALLATION,
        RULES,
        accounts=dict.fromkeys(keys(ACCOUNTS)),
        projects=dict.fromkeys(keys(PROJECTS)),
        bound={key: set() for key in keys(ACCOUNTS)},
    )


def instant(offset: int) -> Instant:
    return START + timedelta(hours=offset)


def commands(random: Random, count: int) -> Iterator[Command]:
    for offset in range(count):
        position = Position("commands", 0, offset)
        action = project_action(random) if random.random() < 0.6 else account_action(random, offset)
        yield Command(
            random.choice(ORGANIZATIONS), f"c{offset}", position, action, actor=random.choice(["jo", "jo", "jo", None])
        )


def project_action(random: Random) -> Action:
    project = random.choice(PROJECTS)
    source, target = random.choice(ACCOUNTS), random.choice(ACCOUNTS)
    actions: list[Action] = [
        *[BindProject(project, target)] * 8,
        *[UnbindProject(project)] * 2,
        LockProject(project, "audit"),
        *[UnlockProject(project, "audited")] * 3,
        RegisterProject(project),
        *[MoveProjects(source, target)] * 3,
        *[MoveProjects(source, target, tuple(random.sample(PROJECTS, 2)))] * 2,
        *([DeleteProject(project)] if random.random() < 0.15 else []),
    ]
    return random.choice(actions)


def account_action(random: Random, offset: int) -> Action:
    account, external_id = random.choice(ACCOUNTS), random.choice(["card-1", "card-2"])
    status = random.choice([ProfileStatus.VALID, ProfileStatus.VALID, ProfileStatus.PENDING])
    ends = random.choice([None, instant(offset + random.choice([1, 40]))])
    profile = PaymentProfile("card", external_id, status, ends)
    contact = random.choice([None, Contact("jo@example.com"), Contact("jo@example.com", "Jö")])
    labels = {name: str(offset) for name in random.sample(["z", "team", "a b", "q\"'\\"], random.randrange(4))}
    reason = random.choice([HoldReason.NON_PAYMENT, HoldReason.FRAUD_SUSPECTED])
    hold = random.choice([None, "H.1", "h_2"])
    is_valid = random.random() < 0.6
    settlement = Settlement("invoice 7", instant(offset))
    terms = PaymentTerms(random.randrange(1, 366), random.randrange(1, 29), random.choice(list(InvoiceFrequency)))
    actions: list[AccountAction] = [
        CreateAccount(account, "EUR", random.choice([None, "Main \N{SNOWMAN}"]), contact, terms, profile, labels),
        *[CreateAccount(account, "EUR", profile=profile)] * 4,
        UpdateAccount(account, contact=contact, labels=labels),
        ChangeCurrency(account, random.choice(["USD", "EUR"])),
        ChangePaymentTerms(account, terms),
        *[AttachPaymentProfile(account, profile)] * 2,
        *[AttachPaymentProfile(account, PaymentProfile("card", external_id, ProfileStatus.VALID))] * 6,
        ReportPaymentProfile(
            account,
            external_id,
            ProfileStatus.VALID if is_valid else ProfileStatus.INVALID,
            cause=None if is_valid else random.choice(list(InvalidCause)),
        ),
        DetachPaymentProfile(account),
        SuspendAccount(account, reason, "late again", hold),
        *[ReactivateAccount(account, approval=Approval("boss", "ticket 7"))] * 6,
        ReactivateAccount(account, reason=reason, approval=Approval("boss", "ticket 8")),
        *[ScheduleSuspension(account, reason, instant(offset + random.randrange(2, 30)), "soon")] * 2,
        CancelSuspension(account, reason),
        *([DeleteAccount(account)] if random.random() < 0.2 else []),
        *([ArchiveAccount(account, settlement, Approval("boss", "ticket 9"))] if random.random() < 0.2 else []),
    ]
    return random.choice(actions)


def needs_of(batch: list[Command]) -> Needs:
    needs = Needs()
    for command in batch:
        organization, action = command.organization, command.action
        if isinstance(action, AccountAction | BindProject):
            needs.accounts.add((organization, action.account))
        if isinstance(action, ProjectAction):
            needs.projects.add((organization, action.project))
        if isinstance(action, DeleteAccount | ArchiveAccount):
            needs.samples[organization, action.account] = len(batch) * len(PROJECTS)
        if isinstance(action, MoveProjects):
            needs.is_move = True
            needs.accounts |= {(organization, action.source), (organization, action.target)}
            needs.projects |= {(organization, project) for project in action.projects or ()}
            if action.projects is None:
                needs.everything.add((organization, action.source))
    return needs


def decide_all(book: Book, batch: list[Command]) -> list[Recorded]:
    """Let the commands happen to the book, hours apart."""
    recorded: list[Recorded] = []
    for command in batch:
        at = instant(command.position.offset)
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
