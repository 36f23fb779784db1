"""What happened to projects, and notices to whoever runs them. A notice's project is in the envelope's subject."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.events.event import Event
from schemas.instants import WrittenInstant
from schemas.values import AccountId, HoldReason, Phase, ProjectId, Sequence


class ProjectRegistered(Event):
    """A project is known, by its own command or by its first bind; known since the envelope's time."""

    TYPE: ClassVar[str] = "billing.project.registered.v1"

    project: ProjectId


class ProjectDeleted(Event):
    """A project is gone for good; if it was bound, binding.released came just before."""

    TYPE: ClassVar[str] = "billing.project.deleted.v1"

    project: ProjectId


class PayerAtRisk(Event):
    """The payer of a project is suspended; the binding stays. `since`: when the suspension began."""

    TYPE: ClassVar[str] = "billing.project.payer-at-risk.v1"

    account: AccountId
    phase: Phase
    reasons: Annotated[list[HoldReason], Field(max_length=32, description="Of the account's holds, each once.")]
    since: WrittenInstant
    account_sequence: Sequence


class PayerRestored(Event):
    """The payer of a project that was at risk is no longer suspended. `since`: when its phase began."""

    TYPE: ClassVar[str] = "billing.project.payer-restored.v1"

    account: AccountId
    phase: Phase
    reasons: Annotated[list[HoldReason], Field(max_length=32, description="Of holds that are left: none, as a rule.")]
    since: WrittenInstant
    account_sequence: Sequence


class PayerMissing(Event):
    """Nobody pays for a project: it was unbound, or registered and is not bound."""

    TYPE: ClassVar[str] = "billing.project.payer-missing.v1"

    project: ProjectId
    since: WrittenInstant
    reason: Literal["UNBOUND", "REGISTERED"]
