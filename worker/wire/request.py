"""What a record of the command topic turns out to be."""

from enum import StrEnum

from worker.domain.commands import Action, Command
from worker.domain.decision import Refusal
from worker.domain.value import value
from worker.domain.values import Position


class Why(StrEnum):
    """Why a record lies in dead letters: the header `billing-reason`."""

    EMPTY_VALUE = "EMPTY_VALUE"
    TOO_LARGE = "TOO_LARGE"
    SCHEMA_REGISTRY_FRAMING = "SCHEMA_REGISTRY_FRAMING"
    NOT_UTF8 = "NOT_UTF8"
    BYTE_ORDER_MARK = "BYTE_ORDER_MARK"
    TOO_DEEP = "TOO_DEEP"
    NOT_JSON = "NOT_JSON"
    NOT_A_NUMBER = "NOT_A_NUMBER"
    NUMBER_TOO_LONG = "NUMBER_TOO_LONG"
    DUPLICATE_KEY = "DUPLICATE_KEY"
    NOT_AN_OBJECT = "NOT_AN_OBJECT"
    DUPLICATE_HEADER = "DUPLICATE_HEADER"
    CONTRADICTING_HEADERS = "CONTRADICTING_HEADERS"
    BAD_ENVELOPE = "BAD_ENVELOPE"
    INTERNAL_ERROR = "INTERNAL_ERROR"


@value
class Unreadable:
    """No command: `detail` is a sentence for people that repeats nothing of the record but names of the contract."""

    reason: Why
    detail: str


@value
class Tick:
    """Time passes in a partition. No result, no id used up; organization and key do not matter."""

    organization: str
    id: str
    position: Position
    correlation_id: str
    traceparent: str | None


@value
class Request:
    """A readable command, and what its bytes alone already refuse; `action` is None where anything does.

    `type` is safe to write: of an unknown type hidden characters are replaced and the end may be cut off. `ignored`
    names the optional attributes that were bad and do not count.
    """

    organization: str
    id: str
    type: str
    position: Position
    actor: str | None
    correlation_id: str
    traceparent: str | None
    tracestate: str | None
    dry_run: bool
    expected_version: int | None
    content_hash: bytes
    key_refusals: tuple[Refusal, ...]  # stage 1
    is_known: bool  # stage 2
    data_refusals: tuple[Refusal, ...]  # stage 4
    action: Action | None
    ignored: tuple[str, ...] = ()

    def as_command(self) -> Command:
        """The command for the rules; a defect (ValueError) where reading already refused."""
        if self.action is None:
            msg = "what reading refused is not for the rules"
            raise ValueError(msg)
        return Command(self.organization, self.id, self.position, self.action, self.actor, self.expected_version)
