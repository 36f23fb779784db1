"""What happened to accounts."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.events.event import Event
from schemas.instants import WrittenInstant
from schemas.message import Maybe
from schemas.parts import Approval, Contact, Hold, Labels, PaymentProfiles, PaymentTerms, Settlement
from schemas.values import AccountId, Count, DisplayName, HoldReason, Phase, WrittenCurrency


class AccountCreated(Event):
    """An account was created, with these values; a phase-changed follows."""

    TYPE: ClassVar[str] = "billing.account.created.v1"

    account: AccountId
    currency: WrittenCurrency
    display_name: DisplayName | None
    contact: Contact | None
    payment_terms: PaymentTerms
    payment_profiles: PaymentProfiles
    labels: Labels


class AccountUpdated(Event):
    """What people read about an account changed; all of it as it is now."""

    TYPE: ClassVar[str] = "billing.account.updated.v1"

    account: AccountId
    display_name: DisplayName | None
    contact: Contact | None
    labels: Labels


class CurrencyChanged(Event):
    """An account that was never activated has another currency."""

    TYPE: ClassVar[str] = "billing.account.currency-changed.v1"

    account: AccountId
    currency: WrittenCurrency


class PaymentTermsChanged(Event):
    """An account has other payment terms."""

    TYPE: ClassVar[str] = "billing.account.payment-terms-changed.v1"

    account: AccountId
    payment_terms: PaymentTerms


class PhaseChanged(Event):
    """An account stands elsewhere in its life: the last event of its command, at most one but at creation.

    At creation `from` and `since` are null: no phase was left. `holds` are those active now, whole;
    `activeBindings` how many projects the account pays for. `settlement` comes with CLOSED, `approval` with CLOSED
    and REACTIVATED where one was given. Once `activatedAt` is set, the currency never changes again.
    """

    TYPE: ClassVar[str] = "billing.account.phase-changed.v1"

    account: AccountId
    from_: Annotated[Phase | None, Field(alias="from")]
    to: Phase
    since: Annotated[WrittenInstant | None, Field(description="When the phase that was left had begun.")]
    at: Annotated[WrittenInstant, Field(description="When the new phase began: equal to the envelope's time.")]
    reason: Annotated[
        Literal["CREATED", "ACTIVATED", HoldReason, "REACTIVATED", "CLOSED"],
        Field(description="On suspension the reason of the hold that brought it."),
    ]
    holds: Annotated[list[Hold], Field(max_length=32)]
    active_bindings: Count
    activated_at: WrittenInstant | None
    currency: WrittenCurrency
    settlement: Maybe[Settlement] = None
    approval: Maybe[Approval] = None


class AccountDeleted(Event):
    """An account is gone; its id stays used. `phase` is where it stood."""

    TYPE: ClassVar[str] = "billing.account.deleted.v1"

    account: AccountId
    phase: Phase
    last_binding_until: Annotated[WrittenInstant | None, Field(description="Null if it never paid for anything.")]
