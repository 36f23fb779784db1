"""Commands on means of payment."""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal, Self

from pydantic import ConfigDict, model_validator

from schemas.commands.command import Command
from schemas.commands.parts import PaymentProfile, ReadExternalId
from schemas.instants import Instant
from schemas.message import Maybe
from schemas.problems import Problem, pointer
from schemas.rejections import RejectionCode
from schemas.values import AccountId, ProfileFailure


class AttachPaymentProfile(Command):
    """Give an account a means of payment: a Valid one serves at once, a Pending one may have to wait."""

    TYPE: ClassVar[str] = "billing.account.attach-payment-profile.v1"

    account: AccountId
    payment_profile: PaymentProfile


class ReportPaymentProfile(Command):
    """Report what became of a means of payment; a report on any other than those attached changes nothing."""

    TYPE: ClassVar[str] = "billing.account.report-payment-profile.v1"
    model_config = ConfigDict(
        json_schema_extra={"dependentSchemas": {"cause": {"properties": {"status": {"const": "Invalid"}}}}}
    )

    account: AccountId
    external_id: ReadExternalId
    status: Literal["Valid", "Invalid"]
    cause: Maybe[ProfileFailure] = None
    valid_until: Maybe[Instant] = None

    @classmethod
    def contradictions(cls, data: Mapping[str, object]) -> Iterator[Problem]:
        """Only what is Invalid has a cause."""
        if "cause" in data and data.get("status") == "Valid":
            yield Problem(RejectionCode.INVALID_DATA, "Only an Invalid profile has a cause.", pointer("cause"))

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        return self.refuse_contradictions()


class DetachPaymentProfile(Command):
    """Take away every means of payment of an account that pays for nothing."""

    TYPE: ClassVar[str] = "billing.account.detach-payment-profile.v1"

    account: AccountId
