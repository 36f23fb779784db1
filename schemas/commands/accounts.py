"""Commands on accounts: their life and their values."""

from typing import ClassVar

from schemas.commands.command import Command
from schemas.commands.parts import Approval, Contact, Labels, PaymentProfile, PaymentTerms, Settlement
from schemas.message import Maybe
from schemas.values import AccountId, Currency, DisplayName


class CreateAccount(Command):
    """Create an account. An id is never used twice, not even after deletion."""

    TYPE: ClassVar[str] = "billing.account.create.v1"

    account: AccountId
    currency: Currency
    display_name: Maybe[DisplayName] = None
    contact: Maybe[Contact] = None
    payment_terms: Maybe[PaymentTerms] = None
    payment_profile: Maybe[PaymentProfile] = None
    labels: Maybe[Labels] = None


class UpdateAccount(Command):
    """Change what people read about an account: an absent field stays, null clears it.

    Absent and null are both None here; `model_fields_set` tells them apart.
    """

    TYPE: ClassVar[str] = "billing.account.update.v1"

    account: AccountId
    display_name: DisplayName | None = None
    contact: Contact | None = None
    labels: Labels | None = None


class ChangeCurrency(Command):
    """Change the currency of an account that was never activated."""

    TYPE: ClassVar[str] = "billing.account.change-currency.v1"

    account: AccountId
    currency: Currency


class ChangePaymentTerms(Command):
    """Replace the payment terms whole."""

    TYPE: ClassVar[str] = "billing.account.change-payment-terms.v1"

    account: AccountId
    payment_terms: PaymentTerms


class ArchiveAccount(Command):
    """Close an account for good, once it pays for nothing and everything was billed.

    `approval` may be absent from the data, but the rules then refuse: APPROVAL_REQUIRED.
    """

    TYPE: ClassVar[str] = "billing.account.archive.v1"

    account: AccountId
    settlement: Maybe[Settlement] = None
    approval: Maybe[Approval] = None


class DeleteAccount(Command):
    """Delete an account that pays for nothing; its id stays used."""

    TYPE: ClassVar[str] = "billing.account.delete.v1"

    account: AccountId
