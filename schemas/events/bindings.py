"""What happened to bindings: who pays for which project, over which half-open interval."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.events.event import Event
from schemas.instants import WrittenInstant
from schemas.message import Maybe, Message
from schemas.values import AccountId, BindingId, ProjectId, Sentence, Sequence, WrittenCurrency


class Heir(Message):
    """The binding that took the place of another."""

    binding: BindingId
    account: AccountId


class BindingEstablished(Event):
    """From `since` on this account pays. On a rebind the superseded one came just before, its `until` this `since`."""

    TYPE: ClassVar[str] = "billing.binding.established.v1"

    binding: BindingId
    project: ProjectId
    account: AccountId
    since: WrittenInstant
    supersedes: Annotated[Maybe[BindingId], Field(description="The binding that it replaced, on a rebind.")] = None
    previous_account: Maybe[AccountId] = None
    currency: WrittenCurrency
    previous_currency: Maybe[WrittenCurrency] = None
    account_sequence: Annotated[Sequence, Field(description="How far the account's own events had come.")]


class BindingSuperseded(Event):
    """The account paid until another took over, without a gap."""

    TYPE: ClassVar[str] = "billing.binding.superseded.v1"

    binding: BindingId
    project: ProjectId
    account: AccountId
    since: WrittenInstant
    until: WrittenInstant
    superseded_by: Heir
    currency: WrittenCurrency


class BindingReleased(Event):
    """The account paid until `until`; from then on nobody does. Locks end with it."""

    TYPE: ClassVar[str] = "billing.binding.released.v1"

    binding: BindingId
    project: ProjectId
    account: AccountId
    since: WrittenInstant
    until: WrittenInstant
    reason: Literal["UNBOUND", "PROJECT_DELETED"]
    currency: WrittenCurrency


class BindingLocked(Event):
    """The payer of a project stays until it is unlocked."""

    TYPE: ClassVar[str] = "billing.binding.locked.v1"

    binding: BindingId
    project: ProjectId
    account: AccountId
    note: Sentence


class BindingUnlocked(Event):
    """The payer of a project may change again."""

    TYPE: ClassVar[str] = "billing.binding.unlocked.v1"

    binding: BindingId
    project: ProjectId
    account: AccountId
    note: Sentence
