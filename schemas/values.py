"""The values that messages are made of: ids, names, reasons, amounts of time."""

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from schemas.currencies import ACTIVE_CURRENCIES
from schemas.text import Text

DNS_LABEL_PATTERN: Final = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
HOLD_PATTERN: Final = r"^[A-Za-z0-9._-]{1,64}$"
WRITTEN_UUID_PATTERN: Final = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
SAFE_INTEGER_MAX: Final = 2**53 - 1
"""The largest integer that every JSON reader keeps whole."""

OrganizationId = Annotated[
    str, StringConstraints(pattern=DNS_LABEL_PATTERN), Field(description="An organization: a DNS label, lower case.")
]
AccountId = Annotated[
    str, StringConstraints(pattern=DNS_LABEL_PATTERN), Field(description="A billing account of the organization.")
]
ProjectId = Annotated[
    str, StringConstraints(pattern=DNS_LABEL_PATTERN), Field(description="A project of the organization.")
]
HoldId = Annotated[
    str, StringConstraints(pattern=HOLD_PATTERN), Field(description="A hold: one reason why an account is suspended.")
]
BindingId = Annotated[
    str,
    StringConstraints(pattern=WRITTEN_UUID_PATTERN),
    Field(
        description="A binding: one project paid for by one account over one interval.",
        json_schema_extra={"format": "uuid"},
    ),
]

SuspensionReason = Literal[
    "NON_PAYMENT",
    "SPENDING_LIMIT_REACHED",
    "FRAUD_SUSPECTED",
    "POLICY_VIOLATION",
    "COMPLIANCE_HOLD",
    "ADMINISTRATIVE",
    "CUSTOMER_REQUESTED",
]
"""Why somebody suspends an account."""
HoldReason = Literal[SuspensionReason, "PAYMENT_PROFILE_INVALID", "PAYMENT_PROFILE_EXPIRED", "PAYMENT_PROFILE_MISSING"]
"""Why a hold exists: the reasons of people, and those that only the worker places."""
Phase = Literal["Provisioning", "Ready", "Suspended", "Archived"]
InvoiceFrequency = Literal["Monthly", "Quarterly", "Annual"]
ProfileFailure = Literal["Expired", "Declined", "Removed", "Revoked"]

Actor = Annotated[str, Text(200, "Who did it, in the words of the publisher.")]
DisplayName = Annotated[str, Text(128, "A name for people to read.")]
Sentence = Annotated[str, Text(1024, "A sentence for people to read.")]
Reference = Annotated[str, Text(1024, "Where the publisher keeps the proof.")]
ProfileType = Annotated[str, Text(64, "What kind of means of payment it is, in the provider's words.")]
ExternalId = Annotated[str, Text(256, "The means of payment as its provider knows it.")]
LabelName = Annotated[str, Text(63, "The name of a label.")]
LabelValue = Annotated[str, Text(256, "What a label says.", characters_min=0)]

Count = Annotated[int, Field(ge=0, le=SAFE_INTEGER_MAX)]
Sequence = Annotated[int, Field(ge=1, le=SAFE_INTEGER_MAX, description="1, 2, 3 … per subject, without holes.")]
NetDays = Annotated[int, Field(ge=1, le=365, description="Days from invoice to due date.")]
InvoiceDay = Annotated[int, Field(ge=1, le=28, description="The day of the month on which invoices are drawn up.")]


def _active(code: str) -> str:
    if code not in ACTIVE_CURRENCIES:
        raise PydanticCustomError("INVALID_CURRENCY", "Must be an active ISO 4217 code of three capitals.")
    return code


Currency = Annotated[
    str,
    AfterValidator(_active),
    WithJsonSchema(
        {
            "type": "string",
            "description": "An active ISO 4217 code; the list is frozen per release.",
            "enum": sorted(ACTIVE_CURRENCIES),
        }
    ),
]
"""A currency that a publisher sends."""
WrittenCurrency = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z]{3}$"),
    Field(description="An ISO 4217 code, active when it was set."),
]
"""A currency in what the worker writes: it may have been retired since, and stays readable."""
