"""The objects inside events and states: null for nothing, absent only where `Maybe` says so."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.instants import WrittenInstant
from schemas.message import Maybe, Message
from schemas.values import (
    Actor,
    DisplayName,
    ExternalId,
    HoldId,
    HoldReason,
    InvoiceDay,
    InvoiceFrequency,
    LabelName,
    LabelValue,
    NetDays,
    ProfileFailure,
    ProfileType,
    Reference,
    Sentence,
    SuspensionReason,
)

Labels = Annotated[
    dict[LabelName, LabelValue], Field(max_length=64, description="The publisher's own words about the account.")
]


class Contact(Message):
    """Whom to write to about an account."""

    email: Annotated[str, Field(max_length=254, json_schema_extra={"format": "email"})]
    name: Maybe[DisplayName] = None


class PaymentTerms(Message):
    """When invoices come and when they are due."""

    net_days: NetDays
    invoice_day_of_month: InvoiceDay
    invoice_frequency: InvoiceFrequency


class PaymentProfile(Message):
    """A means of payment. One whose `validUntil` passed is Invalid, with the cause Expired."""

    type: ProfileType
    external_id: ExternalId
    status: Literal["Pending", "Valid", "Invalid"]
    cause: Annotated[ProfileFailure | None, Field(description="Why it is Invalid, if that was told.")]
    valid_until: WrittenInstant | None


class PaymentProfiles(Message):
    """All means of payment of an account: the one that serves, and the one that waits to take over."""

    serving: PaymentProfile | None
    pending: PaymentProfile | None


class Hold(Message):
    """One reason why an account is suspended."""

    hold: HoldId
    reason: HoldReason
    message: Sentence
    blocks_rebind: Annotated[bool, Field(description="No project may leave the account while this is there.")]
    placed_by: Annotated[Actor | None, Field(description="Null if the command named no actor.")]
    placed_at: WrittenInstant


class ScheduledSuspension(Message):
    """A suspension that was announced and has not begun."""

    reason: SuspensionReason
    due_at: WrittenInstant
    message: Sentence
    scheduled_by: Annotated[Actor | None, Field(description="Null if the command named no actor.")]
    scheduled_at: WrittenInstant


class Approval(Message):
    """Who, other than the actor, agreed, and where that is written down."""

    by: Actor
    reference: Reference


class Settlement(Message):
    """The proof that everything was billed up to an instant."""

    reference: Reference
    settled_through: WrittenInstant
