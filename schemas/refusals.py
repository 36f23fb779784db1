"""One reason why a command was rejected, with the details that its code promises."""

from typing import Annotated, Final, Literal

from pydantic import Field, JsonValue

from schemas.instants import WrittenInstant
from schemas.message import Message
from schemas.parts import Hold
from schemas.rejections import RejectionCode as Code
from schemas.values import Count, Phase, ProjectId


class Place(Message):
    """Where in the data: a JSON pointer (RFC 6901), empty for the data itself."""

    path: Annotated[str, Field(pattern=r"^(/([^~/]|~[01])*)*$")]


class ExpectedPartition(Message):
    """The partition that the organization lives in."""

    expected: Count


class Standing(Message):
    """Where the account stands, and every hold on it."""

    phase: Phase
    holds: Annotated[list[Hold], Field(max_length=32)]


class StillBound(Message):
    """How many projects the account pays for, and the first of them."""

    count: Count
    sample: Annotated[list[ProjectId], Field(max_length=100)]


class SettlementNeeded(Message):
    """The least instant that a settlement must reach: the end of the last binding; null if there was none."""

    needed: WrittenInstant | None


class Mismatch(Message):
    """How many projects the publisher expected, and how many there are."""

    expected: Count
    actual: Count


class IneligibleProject(Message):
    """A project that cannot be moved, and why."""

    project: ProjectId
    code: Annotated[Code, Field(strict=False)]


class IneligibleProjects(Message):
    """Every project that stands in the way of a move."""

    items: Annotated[list[IneligibleProject], Field(min_length=1, max_length=5000)]


class _Refusal(Message):
    code: Code
    message: Annotated[str, Field(description="For people; it never repeats a refused value.")]


class DataRefusal(_Refusal):
    """Something is wrong with a value."""

    code: Literal[Code.INVALID_DATA, Code.INVALID_CURRENCY, Code.SENSITIVE_DATA_REFUSED]
    details: Place


class WrongPartition(_Refusal):
    """The command lies in a partition that its organization does not live in."""

    code: Literal[Code.WRONG_PARTITION]
    details: ExpectedPartition


class AccountNotReady(_Refusal):
    """Only a Ready account takes new bindings."""

    code: Literal[Code.ACCOUNT_NOT_READY]
    details: Standing


class ActiveBindings(_Refusal):
    """The account still pays for projects."""

    code: Literal[Code.ACTIVE_BINDINGS]
    details: StillBound


class SettlementRequired(_Refusal):
    """Not everything is proven to be billed."""

    code: Literal[Code.SETTLEMENT_REQUIRED]
    details: SettlementNeeded


class MoveCountMismatch(_Refusal):
    """The account does not pay for as many projects as expected."""

    code: Literal[Code.MOVE_COUNT_MISMATCH]
    details: Mismatch


class MoveItemsIneligible(_Refusal):
    """Some of the projects cannot be moved, so none is."""

    code: Literal[Code.MOVE_ITEMS_INELIGIBLE]
    details: IneligibleProjects


class PlainRefusal(_Refusal):
    """A reason whose code says it all; details, if any, are for people."""

    code: Literal[
        Code.KEY_MISMATCH,
        Code.UNKNOWN_COMMAND,
        Code.COMMAND_ID_REUSED,
        Code.VERSION_CONFLICT,
        Code.ACCOUNT_NOT_FOUND,
        Code.ACCOUNT_ALREADY_EXISTS,
        Code.ACCOUNT_DELETED,
        Code.ACCOUNT_ARCHIVED,
        Code.CURRENCY_LOCKED,
        Code.PROFILE_IN_USE,
        Code.HOLD_NOT_FOUND,
        Code.HOLD_ALREADY_EXISTS,
        Code.HOLD_NOT_RELEASABLE,
        Code.APPROVAL_REQUIRED,
        Code.APPROVER_IS_ACTOR,
        Code.NOTICE_TOO_SHORT,
        Code.SUSPENSION_NOT_SCHEDULED,
        Code.DELETE_BLOCKED_BY_HOLD,
        Code.PROJECT_NOT_FOUND,
        Code.PROJECT_DELETED,
        Code.PROJECT_ALREADY_BOUND,
        Code.PROJECT_NOT_BOUND,
        Code.BINDING_CHANGED,
        Code.BINDING_LOCKED,
        Code.REBIND_BLOCKED_BY_HOLD,
        Code.SAME_ACCOUNT,
        Code.MOVE_TOO_LARGE,
        Code.INTERNAL_ERROR,
    ]
    details: dict[str, JsonValue]


Refusal = Annotated[
    DataRefusal
    | WrongPartition
    | AccountNotReady
    | ActiveBindings
    | SettlementRequired
    | MoveCountMismatch
    | MoveItemsIneligible
    | PlainRefusal,
    Field(discriminator="code"),
]

DETAILS: Final[dict[Code, type[Message]]] = {
    Code.INVALID_DATA: Place,
    Code.INVALID_CURRENCY: Place,
    Code.SENSITIVE_DATA_REFUSED: Place,
    Code.WRONG_PARTITION: ExpectedPartition,
    Code.ACCOUNT_NOT_READY: Standing,
    Code.ACTIVE_BINDINGS: StillBound,
    Code.SETTLEMENT_REQUIRED: SettlementNeeded,
    Code.MOVE_COUNT_MISMATCH: Mismatch,
    Code.MOVE_ITEMS_INELIGIBLE: IneligibleProjects,
}
"""The details of the codes that promise some; those of any other code are an object without promise."""
