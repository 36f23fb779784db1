"""What became of a command: exactly one result each."""

from typing import Annotated, ClassVar, Final, Self

from pydantic import Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError

from schemas.envelope import CommandId, WrittenId
from schemas.events import EVENTS
from schemas.message import Message
from schemas.refusals import Refusal
from schemas.values import Count, Sequence

EVENTS_LISTED_MAX = 100


class Result(Message):
    """The data of a result."""

    TYPE: ClassVar[str]


class EventReference(Message):
    """An event that a command caused."""

    id: WrittenId
    type: str
    subject: str
    sequence: Sequence


class EvaluatedEvent(EventReference):
    """An event that a command would cause now, with its data."""

    data: dict[str, JsonValue]

    @model_validator(mode="after")
    def _has_the_data_of_its_type(self) -> Self:
        if self.type not in EVENTS:
            raise PydanticCustomError("INVALID_DATA", "There is no such event.")
        EVENTS[self.type].model_validate(self.data)
        return self


class CommandAccepted(Result):
    """The command took effect, or its effect was there already: then there are no events."""

    TYPE: ClassVar[str] = "billing.command.accepted.v1"

    command: CommandId
    type: str
    events: Annotated[list[EventReference], Field(max_length=EVENTS_LISTED_MAX, description="The first 100.")]
    event_count: Count
    version: Annotated[
        Count | None,
        Field(
            description="The sequence of the last event of the account that `expectedversion` is compared with; "
            "null for commands on which it is not allowed."
        ),
    ]
    duplicate: Annotated[bool, Field(description="True: the first result again; nothing else happened.")]


class CommandRejected(Result):
    """The command changed nothing, for these reasons; what came unreadable is a dead letter instead."""

    TYPE: ClassVar[str] = "billing.command.rejected.v1"

    command: CommandId
    type: str
    reasons: Annotated[list[Refusal], Field(min_length=1)]
    duplicate: Annotated[bool, Field(description="True: the first result again; nothing else happened.")]


class CommandEvaluated(Result):
    """What a dry run found; nothing was stored and the id is still free."""

    TYPE: ClassVar[str] = "billing.command.evaluated.v1"

    command: CommandId
    would_accept: bool
    events: Annotated[list[EvaluatedEvent], Field(max_length=EVENTS_LISTED_MAX, description="The first 100.")]
    event_count: Count
    reasons: list[Refusal]


RESULTS: Final[dict[str, type[Result]]] = {
    result.TYPE: result for result in (CommandAccepted, CommandRejected, CommandEvaluated)
}
"""The model of each result type."""
