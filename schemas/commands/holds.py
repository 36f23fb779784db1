"""Commands that suspend accounts and let them go again."""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from pydantic import ConfigDict, model_validator

from schemas.commands.command import Command
from schemas.commands.parts import Approval, OnlyTrue
from schemas.instants import Instant
from schemas.message import Maybe
from schemas.problems import Problem, pointer
from schemas.rejections import RejectionCode
from schemas.values import AccountId, HoldId, HoldReason, Sentence, SuspensionReason


class SuspendAccount(Command):
    """Place a hold. `blocksRebind` absent: true for FRAUD_SUSPECTED, POLICY_VIOLATION and COMPLIANCE_HOLD."""

    TYPE: ClassVar[str] = "billing.account.suspend.v1"

    account: AccountId
    reason: SuspensionReason
    message: Sentence
    hold: Maybe[HoldId] = None
    blocks_rebind: Maybe[bool] = None


class ScheduleSuspension(Command):
    """Announce a suspension; one per account and reason, a later one replaces it."""

    TYPE: ClassVar[str] = "billing.account.schedule-suspension.v1"

    account: AccountId
    reason: SuspensionReason
    due_at: Instant
    message: Sentence


class CancelSuspension(Command):
    """Take back an announced suspension."""

    TYPE: ClassVar[str] = "billing.account.cancel-suspension.v1"

    account: AccountId
    reason: SuspensionReason


class ReactivateAccount(Command):
    """Release holds, chosen by exactly one of `reason`, `hold` and `all`.

    A reason of the worker's own may be named here; the rules then answer HOLD_NOT_RELEASABLE.
    `approval` may be absent from the data, but the rules then refuse where one is needed.
    """

    TYPE: ClassVar[str] = "billing.account.reactivate.v1"
    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [name]} for name in ("reason", "hold", "all")]})

    account: AccountId
    reason: Maybe[HoldReason] = None
    hold: Maybe[HoldId] = None
    all: Maybe[OnlyTrue] = None
    approval: Maybe[Approval] = None

    @classmethod
    def contradictions(cls, data: Mapping[str, object]) -> Iterator[Problem]:
        """Only one way to choose the holds; a missing one is reported where the first would stand."""
        given = [name for name in ("reason", "hold", "all") if name in data]
        for name in given[1:] or ([] if given else ["reason"]):
            yield Problem(RejectionCode.INVALID_DATA, "Exactly one of reason, hold, all is needed.", pointer(name))

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        return self.refuse_contradictions()
