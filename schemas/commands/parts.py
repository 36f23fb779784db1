"""The objects inside commands, as publishers send them."""

from typing import Annotated, Literal

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema, WrapValidator
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidatorFunctionWrapHandler

from schemas.cards import carries_card_number
from schemas.instants import Instant
from schemas.message import Maybe, Message
from schemas.text import HIDDEN_CHARACTER
from schemas.values import (
    Actor,
    DisplayName,
    ExternalId,
    InvoiceDay,
    InvoiceFrequency,
    LabelName,
    LabelValue,
    NetDays,
    ProfileType,
    Reference,
)

LABELS_MAX = 64


def _address(value: str) -> str:
    try:
        address = validate_email(value, check_deliverability=False).normalized
    except (EmailNotValidError, UnicodeError):
        address = ""
    if not address or HIDDEN_CHARACTER.search(address):
        raise PydanticCustomError("INVALID_DATA", "Must be an email address.")
    return address


def _no_card(value: str) -> str:
    if carries_card_number(value):
        raise PydanticCustomError("SENSITIVE_DATA_REFUSED", "Must not contain the number of a payment card.")
    return value


def _no_two_alike(value: object, handler: ValidatorFunctionWrapHandler) -> dict[str, str]:
    labels: dict[str, str] = handler(value)
    if isinstance(value, dict) and len(labels) < len(value):
        raise PydanticCustomError("INVALID_DATA", "Must not contain a name twice.")
    return labels


def _only_true(value: object) -> object:
    if value is not True:
        raise PydanticCustomError("INVALID_DATA", "Must be true or absent.")
    return value


Email = Annotated[
    str,
    StringConstraints(max_length=1024),
    AfterValidator(_address),
    WithJsonSchema(
        {
            "type": "string",
            "description": "An email address; the domain is kept in Unicode.",
            "format": "email",
            "maxLength": 254,
        }
    ),
]
ReadExternalId = Annotated[ExternalId, AfterValidator(_no_card)]
"""A means of payment as its provider knows it: never the number of a card."""
Labels = Annotated[
    dict[LabelName, LabelValue],
    Field(max_length=LABELS_MAX),
    WrapValidator(_no_two_alike),
    WithJsonSchema(
        {
            "type": "object",
            "description": "The publisher's own words about the account; replaced whole.",
            "maxProperties": LABELS_MAX,
            "propertyNames": {"minLength": 1, "maxLength": 63},
            "additionalProperties": {"type": "string", "maxLength": 256},
        }
    ),
]
OnlyTrue = Annotated[bool, AfterValidator(_only_true), WithJsonSchema({"type": "boolean", "const": True})]
"""True: a literal would take 1 for it."""


class Contact(Message):
    """Whom to write to about an account; replaced whole."""

    email: Email
    name: Maybe[DisplayName] = None


class PaymentTerms(Message):
    """When invoices come and when they are due; replaced whole, so what is absent returns to its default."""

    net_days: NetDays = 30
    invoice_day_of_month: InvoiceDay = 1
    invoice_frequency: InvoiceFrequency = "Monthly"


class PaymentProfile(Message):
    """A means of payment, kept by its provider; here is only the provider's name for it."""

    type: ProfileType
    external_id: ReadExternalId
    status: Literal["Pending", "Valid"] = "Pending"
    valid_until: Maybe[Instant] = None


class Approval(Message):
    """Who, other than the actor, agreed, and where that is written down."""

    by: Actor
    reference: Reference


class Settlement(Message):
    """The proof that everything was billed up to an instant."""

    reference: Reference
    settled_through: Instant
