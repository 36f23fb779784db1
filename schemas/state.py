"""The compacted topics: whole accounts, who pays now, and how far answers are final."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, StringConstraints

from schemas.instants import WrittenInstant
from schemas.message import Maybe, Message
from schemas.parts import Contact, Hold, Labels, PaymentProfiles, PaymentTerms, ScheduledSuspension
from schemas.values import (
    WRITTEN_UUID_PATTERN,
    AccountId,
    BindingId,
    Count,
    DisplayName,
    OrganizationId,
    Phase,
    ProjectId,
    Sequence,
    WrittenCurrency,
)

TIMELINE_CLOSED_MAX = 200


class State(Message):
    """The data of a record on a compacted topic: everything as it stands."""

    TYPE: ClassVar[str]


class AccountState(State):
    """A whole account, also after its deletion (`deletedAt`). Never followed by a tombstone."""

    TYPE: ClassVar[str] = "billing.account.state.v1"

    organization: OrganizationId
    account: AccountId
    sequence: Sequence
    phase: Phase
    phase_since: WrittenInstant
    activated_at: WrittenInstant | None
    currency: WrittenCurrency
    payment_terms: PaymentTerms
    contact: Contact | None
    display_name: DisplayName | None
    payment_profiles: PaymentProfiles
    holds: Annotated[list[Hold], Field(max_length=32, description="The active ones.")]
    scheduled: Annotated[list[ScheduledSuspension], Field(max_length=7, description="At most one for each reason.")]
    labels: Labels
    deleted_at: Maybe[WrittenInstant] = None


class Payer(Message):
    """The open binding of a project."""

    binding: BindingId
    account: AccountId
    since: WrittenInstant
    currency: WrittenCurrency


class Period(Message):
    """One binding on a project's timeline; `until` and `reason` are null while it is open."""

    binding: BindingId
    account: AccountId
    currency: WrittenCurrency
    since: WrittenInstant
    until: WrittenInstant | None
    reason: Literal["SUPERSEDED", "UNBOUND", "PROJECT_DELETED"] | None


class PayerState(State):
    """Who pays for a project. Followed by a tombstone 30 days after the project's deletion."""

    TYPE: ClassVar[str] = "billing.payer.state.v1"

    organization: OrganizationId
    project: ProjectId
    sequence: Sequence
    payer: Payer | None
    locked: bool
    deleted_at: Maybe[WrittenInstant] = None
    timeline: Annotated[
        list[Period],
        Field(
            max_length=TIMELINE_CLOSED_MAX + 1, description="Oldest first; the last 200 closed ones, then the open one."
        ),
    ]
    timeline_since: Annotated[
        WrittenInstant,
        Field(
            description="The timeline answers for instants from here on: since the project was known, or where more "
            "than 200 intervals were closed, since the end of the latest one that is left out."
        ),
    ]


class Horizon(State):
    """How far a partition of the command topic has come.

    Answers for instants up to `through` are final. A period may be billed once the least `through` of all partitions
    is past its end.
    """

    TYPE: ClassVar[str] = "billing.lane.horizon.v1"

    through: WrittenInstant
    offset: Annotated[Count, Field(description="The next one to be decided.")]
    epoch: Annotated[Count, Field(description="Counts the owners of the partition.")]
    installation: Annotated[str, StringConstraints(pattern=WRITTEN_UUID_PATTERN)]


STATES: Final[dict[str, type[State]]] = {state.TYPE: state for state in (AccountState, PayerState, Horizon)}
"""The model of each type on a compacted topic."""
