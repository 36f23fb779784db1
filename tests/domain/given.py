"""Histories to start from: a lane that decides one command a minute, and words for what is sent into it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from tests.domain.due_work import let_fall_due
from worker.domain.accounts import Account
from worker.domain.book import Book, Recorded
from worker.domain.commands import (
    AccountAction,
    Action,
    ArchiveAccount,
    AttachPaymentProfile,
    BindProject,
    Command,
    CreateAccount,
    MoveProjects,
    ReactivateAccount,
    ReportPaymentProfile,
    ScheduleSuspension,
    SuspendAccount,
    UnbindProject,
)
from worker.domain.decide import decide
from worker.domain.decision import Accepted, Decision, Reason, Refusal, Rejected
from worker.domain.events import Event
from worker.domain.projects import Project
from worker.domain.values import (
    Approval,
    Binding,
    HoldReason,
    Instant,
    InvalidCause,
    Origin,
    PaymentProfile,
    Position,
    ProfileStatus,
    Rules,
    Settlement,
)

INSTALLATION = UUID("6a1f4c52-0c53-4a3c-9d0b-3f3f1f0f7a11")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

APPROVAL = Approval(by="controller", reference="ticket-7")
NO_PROFILE_NEEDED = Rules(payment_profile_required=False)
STRICT = Rules(strict_registry=True)
HASTY = Rules(suspension_notice=3 * MINUTE, tombstone_after=20 * MINUTE)

AMBER_PAYS = BindProject("atlas", "amber")
BIRCH_PAYS = BindProject("atlas", "birch")
UNBIND = UnbindProject("atlas")
UNKNOWN_BINDING = "00000000-0000-5000-8000-000000000000"


def minute(n: int) -> Instant:
    """The instant of the lane's command number `n`, counted from 1."""
    return NOON + n * MINUTE


@dataclass(slots=True)
class Lane:
    """One book, one command a minute. Commands are of `acme` by `ops` unless told otherwise.

    Before each command what is due is done; `due` is what that was, before the latest command or tick.
    """

    rules: Rules = field(default_factory=Rules)
    sent: int = 0
    journal: list[Recorded] = field(default_factory=list)
    due: list[Recorded] = field(default_factory=list)
    book: Book = field(init=False)

    def __post_init__(self) -> None:
        self.book = Book(INSTALLATION, self.rules)

    @property
    def now(self) -> Instant:
        """The instant of the latest command."""
        return minute(self.sent)

    def send(
        self,
        action: Action,
        *,
        organization: str = "acme",
        actor: str | None = "ops",
        expected_version: int | None = None,
    ) -> Decision:
        """Decide a command and let happen what it brings about."""
        self.sent += 1
        position = Position("billing.commands", 4, self.sent)
        command = Command(organization, f"command-{self.sent}", position, action, actor, expected_version)
        look_up(self.book, command)
        self._let_fall_due(Origin(INSTALLATION, organization, command.id, position))
        decision = decide(self.book, command, self.now, len(self.due))
        if isinstance(decision, Accepted):
            self.journal += self.book.record(organization, decision.events, self.now)
        return decision

    def tick(self, minutes: int = 1) -> list[Event]:
        """Let time pass, and what falls due by then happen."""
        self.sent += minutes
        position = Position("billing.commands", 4, self.sent)
        self._let_fall_due(Origin(INSTALLATION, "billing-worker", f"tick-{self.sent}", position))
        return [record.event for record in self.due]

    def _let_fall_due(self, origin: Origin) -> None:
        self.due = let_fall_due(self.book, self.now, origin)
        self.journal += self.due

    def given(self, *actions: Action) -> "Lane":
        """What has happened before."""
        for action in actions:
            self.accepted(action)
        return self

    def accepted(
        self, action: Action, *, actor: str | None = "ops", expected_version: int | None = None
    ) -> list[Event]:
        """What an accepted command brings about."""
        decision = self.send(action, actor=actor, expected_version=expected_version)
        assert isinstance(decision, Accepted), decision
        return list(decision.events)

    def refused(
        self, action: Action, *, actor: str | None = "ops", expected_version: int | None = None
    ) -> tuple[Refusal, ...]:
        """Why a command is rejected, with details."""
        decision = self.send(action, actor=actor, expected_version=expected_version)
        assert isinstance(decision, Rejected), decision
        return decision.refusals

    def reasons(
        self, action: Action, *, actor: str | None = "ops", expected_version: int | None = None
    ) -> list[Reason]:
        """Why a command is rejected."""
        refusals = self.refused(action, actor=actor, expected_version=expected_version)
        return [refusal.reason for refusal in refusals]

    def account(self, id: str = "amber") -> Account:  # noqa: A002 - it is one
        """The account as it stands."""
        account = self.book.accounts["acme", id]
        assert account
        return account

    def project(self, id: str = "atlas") -> Project:  # noqa: A002 - it is one
        """The project as it stands."""
        project = self.book.projects["acme", id]
        assert project
        return project

    def payer(self, project: str = "atlas") -> Binding:
        """The open binding of the project."""
        binding = self.project(project).open
        assert binding
        return binding

    def stands(self, changed: Account | Project) -> "Lane":
        """Put a state into the book that none of these commands leads to."""
        if isinstance(changed, Account):
            self.book.accounts[changed.organization, changed.id] = changed
        else:
            self.book.projects[changed.organization, changed.id] = changed
        return self

    def set(self, rules: Rules) -> "Lane":
        """Other settings hold from now on."""
        self.book.rules = rules
        return self


def look_up(book: Book, command: Command) -> None:
    """Put what a command touches into the book, as the store does; here, what is not there does not exist."""
    action, organization = command.action, command.organization
    accounts: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    match action:
        case MoveProjects():
            accounts, projects = (action.source, action.target), action.projects or ()
        case BindProject():
            accounts, projects = (action.account,), (action.project,)
        case _ if isinstance(action, AccountAction):
            accounts = (action.account,)
        case _:
            projects = (action.project,)
    for account in accounts:
        book.accounts.setdefault((organization, account), None)
        book.bound.setdefault((organization, account), set())
    for project in projects:
        book.projects.setdefault((organization, project), None)


def open_account(id: str = "amber", currency: str = "EUR") -> CreateAccount:  # noqa: A002 - it is one
    """An account that is Ready at once."""
    return CreateAccount(id, currency, profile=valid("card-1"))


def pending(external_id: str, valid_until: Instant | None = None) -> PaymentProfile:
    """A profile of which the provider has not said anything."""
    return PaymentProfile("card", external_id, ProfileStatus.PENDING, valid_until)


def valid(external_id: str, valid_until: Instant | None = None) -> PaymentProfile:
    """A profile that charges can be made with."""
    return PaymentProfile("card", external_id, ProfileStatus.VALID, valid_until)


def invalid(external_id: str, cause: InvalidCause | None = None, valid_until: Instant | None = None) -> PaymentProfile:
    """A profile that was refused."""
    return PaymentProfile("card", external_id, ProfileStatus.INVALID, valid_until, cause)


def two_accounts() -> Lane:
    """`amber` (EUR) and `birch` (USD) are Ready."""
    return Lane().given(open_account("amber", "EUR"), open_account("birch", "USD"))


def amber_pays() -> Lane:
    """`amber` pays for `atlas` since minute 3; `birch` is Ready."""
    return two_accounts().given(AMBER_PAYS)


def attach(profile: PaymentProfile, account: str = "amber") -> AttachPaymentProfile:
    """Somebody gives the account a profile."""
    return AttachPaymentProfile(account, profile)


def report_valid(
    external_id: str, valid_until: Instant | None = None, *, account: str = "amber"
) -> ReportPaymentProfile:
    """The provider says yes."""
    return ReportPaymentProfile(account, external_id, ProfileStatus.VALID, valid_until=valid_until)


def report_invalid(
    external_id: str, cause: InvalidCause | None = None, *, account: str = "amber"
) -> ReportPaymentProfile:
    """The provider says no."""
    return ReportPaymentProfile(account, external_id, ProfileStatus.INVALID, cause)


def suspend(
    reason: HoldReason = HoldReason.NON_PAYMENT,
    hold: str | None = None,
    *,
    account: str = "amber",
    blocks_rebind: bool | None = None,
) -> SuspendAccount:
    """Somebody stops the account."""
    return SuspendAccount(account, reason, "Please call us.", hold, blocks_rebind)


def reactivate(
    *,
    reason: HoldReason | None = None,
    hold: str | None = None,
    approval: Approval | None = APPROVAL,
    account: str = "amber",
) -> ReactivateAccount:
    """Somebody lets the account go on, from all holds unless told otherwise."""
    return ReactivateAccount(account, reason, hold, approval)


def schedule(
    reason: HoldReason = HoldReason.NON_PAYMENT,
    *,
    due_at: Instant,
    message: str = "Please pay.",
    account: str = "amber",
) -> ScheduleSuspension:
    """Somebody announces a suspension."""
    return ScheduleSuspension(account, reason, due_at, message)


def archive(
    settled_through: Instant | None = None, *, approval: Approval | None = APPROVAL, account: str = "amber"
) -> ArchiveAccount:
    """Somebody closes the account for good, with a settlement if it reaches anywhere."""
    settlement = Settlement("invoice-9", settled_through) if settled_through else None
    return ArchiveAccount(account, settlement, approval)
