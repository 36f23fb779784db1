"""What happened to means of payment. Each carries both of an account's profiles as they are now."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.events.event import Event
from schemas.parts import PaymentProfiles
from schemas.values import AccountId, ExternalId, ProfileFailure


class PaymentProfileAttached(Event):
    """An account was given a means of payment: it serves, or waits as the pending one."""

    TYPE: ClassVar[str] = "billing.account.payment-profile-attached.v1"

    account: AccountId
    payment_profiles: PaymentProfiles


class PaymentProfileReported(Event):
    """A means of payment turned Valid or Invalid, by a report or because its time was over (cause Expired).

    A pending one reported Valid has taken over as the serving one; reported Invalid it is in neither place any more.
    """

    TYPE: ClassVar[str] = "billing.account.payment-profile-reported.v1"

    account: AccountId
    external_id: Annotated[ExternalId, Field(description="The means of payment that the report is about.")]
    status: Literal["Valid", "Invalid"]
    cause: ProfileFailure | None
    payment_profiles: PaymentProfiles


class PaymentProfileDetached(Event):
    """An account has no means of payment any more: both profiles are null."""

    TYPE: ClassVar[str] = "billing.account.payment-profile-detached.v1"

    account: AccountId
    payment_profiles: PaymentProfiles
