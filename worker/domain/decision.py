"""What a rule answers: events, or every reason why not."""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import TypeAlias

from worker.domain.events import Event
from worker.domain.value import value
from worker.domain.values import Instant, Origin, Rules


class Reason(StrEnum):
    """Why a command is rejected, in the order in which reasons are given."""

    KEY_MISMATCH = "KEY_MISMATCH"
    WRONG_PARTITION = "WRONG_PARTITION"
    UNKNOWN_COMMAND = "UNKNOWN_COMMAND"
    COMMAND_ID_REUSED = "COMMAND_ID_REUSED"
    INVALID_DATA = "INVALID_DATA"
    INVALID_CURRENCY = "INVALID_CURRENCY"
    SENSITIVE_DATA_REFUSED = "SENSITIVE_DATA_REFUSED"
    VERSION_CONFLICT = "VERSION_CONFLICT"
    ACCOUNT_NOT_FOUND = "ACCOUNT_NOT_FOUND"
    ACCOUNT_ALREADY_EXISTS = "ACCOUNT_ALREADY_EXISTS"
    ACCOUNT_DELETED = "ACCOUNT_DELETED"
    ACCOUNT_ARCHIVED = "ACCOUNT_ARCHIVED"
    ACCOUNT_NOT_READY = "ACCOUNT_NOT_READY"
    CURRENCY_LOCKED = "CURRENCY_LOCKED"
    PROFILE_IN_USE = "PROFILE_IN_USE"
    HOLD_NOT_FOUND = "HOLD_NOT_FOUND"
    HOLD_ALREADY_EXISTS = "HOLD_ALREADY_EXISTS"
    HOLD_NOT_RELEASABLE = "HOLD_NOT_RELEASABLE"
    APPROVAL_REQUIRED = "APPROVAL_REQUIRED"
    APPROVER_IS_ACTOR = "APPROVER_IS_ACTOR"
    NOTICE_TOO_SHORT = "NOTICE_TOO_SHORT"
    SUSPENSION_NOT_SCHEDULED = "SUSPENSION_NOT_SCHEDULED"
    ACTIVE_BINDINGS = "ACTIVE_BINDINGS"
    SETTLEMENT_REQUIRED = "SETTLEMENT_REQUIRED"
    DELETE_BLOCKED_BY_HOLD = "DELETE_BLOCKED_BY_HOLD"
    PROJECT_NOT_FOUND = "PROJECT_NOT_FOUND"
    PROJECT_DELETED = "PROJECT_DELETED"
    PROJECT_ALREADY_BOUND = "PROJECT_ALREADY_BOUND"
    PROJECT_NOT_BOUND = "PROJECT_NOT_BOUND"
    BINDING_CHANGED = "BINDING_CHANGED"
    BINDING_LOCKED = "BINDING_LOCKED"
    REBIND_BLOCKED_BY_HOLD = "REBIND_BLOCKED_BY_HOLD"
    SAME_ACCOUNT = "SAME_ACCOUNT"
    MOVE_COUNT_MISMATCH = "MOVE_COUNT_MISMATCH"
    MOVE_TOO_LARGE = "MOVE_TOO_LARGE"
    MOVE_ITEMS_INELIGIBLE = "MOVE_ITEMS_INELIGIBLE"
    INTERNAL_ERROR = "INTERNAL_ERROR"


@value
class Refusal:
    """One reason why not. `details` holds domain values; what is secret or was refused is never among them."""

    reason: Reason
    details: Mapping[str, object] = field(default_factory=dict)
    message: str | None = None


@value
class Accepted:
    """What happens, in order. Empty when the effect is already there."""

    events: tuple[Event, ...] = ()


@value
class Rejected:
    """Every reason that this stage found, in the order of `Reason`; never empty."""

    refusals: tuple[Refusal, ...]

    def __post_init__(self) -> None:
        if not self.refusals:
            raise ValueError("rejected for no reason")
        object.__setattr__(self, "refusals", tuple(sorted(self.refusals, key=_rank)))


_RANKS = {reason: rank for rank, reason in enumerate(Reason)}


def _rank(refusal: Refusal) -> int:
    return _RANKS[refusal.reason]


Decision: TypeAlias = Accepted | Rejected


def refuse(reason: Reason, **details: object) -> Rejected:
    """Reject for one reason."""
    return Rejected((Refusal(reason, details),))


@value
class Occasion:
    """When, by whom and under which rules something is decided."""

    at: Instant
    actor: str | None
    origin: Origin
    rules: Rules
