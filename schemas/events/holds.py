"""What suspends accounts, and what releases them. The account of a hold is in the envelope's subject."""

from typing import Annotated, ClassVar, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from schemas.commands.parts import OnlyTrue
from schemas.events.event import Event
from schemas.instants import WrittenInstant
from schemas.message import Maybe
from schemas.parts import Approval, Hold
from schemas.values import AccountId, Actor, HoldId, Sentence, SuspensionReason


class HoldPlaced(Event):
    """A hold is active.

    Placed for a reason whose scheduled suspension is due (`dueAt` not after `placedAt`), it ends that schedule.
    """

    TYPE: ClassVar[str] = "billing.account.hold-placed.v1"

    hold: Hold


class HoldReleased(Event):
    """A hold is no longer active: by somebody, with the approval where one was given, or by itself (`automatic`)."""

    TYPE: ClassVar[str] = "billing.account.hold-released.v1"
    model_config = ConfigDict(json_schema_extra={"not": {"required": ["approval", "automatic"]}})

    hold: HoldId
    released_by: Annotated[Actor | None, Field(description="Null if the command named no actor.")]
    approval: Maybe[Approval] = None
    automatic: Maybe[OnlyTrue] = None

    @model_validator(mode="after")
    def _approved_or_automatic(self) -> Self:
        if self.approval and self.automatic:
            raise PydanticCustomError("INVALID_DATA", "What happens by itself is approved by nobody.")
        return self


class SuspensionScheduled(Event):
    """A suspension is announced, in place of an earlier one for the same reason."""

    TYPE: ClassVar[str] = "billing.account.suspension-scheduled.v1"

    account: AccountId
    reason: SuspensionReason
    due_at: WrittenInstant
    message: Sentence
    scheduled_by: Annotated[Actor | None, Field(description="Null if the command named no actor.")]
    scheduled_at: WrittenInstant


class SuspensionCancelled(Event):
    """An announced suspension will not begin.

    It was taken back, the account was archived, or when it came due the account had that hold already.
    """

    TYPE: ClassVar[str] = "billing.account.suspension-cancelled.v1"

    account: AccountId
    reason: SuspensionReason
