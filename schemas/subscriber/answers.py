"""What a subscriber is told: of a record that it folded, and of who paid."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Taken:
    """The record was folded."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """The record says nothing that was not known."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Events of a project are missing, or this one cannot be understood. The next compacted record heals it."""

    organization: str
    project: str
    known: int
    came: int


TAKEN, DROPPED = Taken(), Dropped()


@dataclass(frozen=True, slots=True)
class Payer:
    """This account paid over [since, until); `until` None: it has not ended as far as is known."""

    account: str
    binding: str
    currency: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Nobody:
    """No account paid."""


@dataclass(frozen=True, slots=True)
class NotYet:
    """The answer may still change: ask again later.

    `through`: up to where it would be final by now; None if nothing is. `so_far`: what it would be if nothing else
    came; None if even that cannot be told.
    """

    through: datetime | None
    so_far: Payer | Nobody | None


class Why(StrEnum):
    """Why it is not known who paid, and what would tell."""

    GAP = "GAP"  # events were missed: wait for the project's next compacted record
    BEFORE_TIMELINE = "BEFORE_TIMELINE"  # the compacted record does not reach back so far: only events tell
    NEVER_SEEN = "NEVER_SEEN"  # no record of such a project; one that is long deleted has none: only events tell
    REMOVED = "REMOVED"  # long deleted, its compacted record removed: only events tell


@dataclass(frozen=True, slots=True)
class Unknown:
    """What was read does not tell who paid. Never a guess."""

    reason: Why


Answer: TypeAlias = Payer | Nobody | NotYet | Unknown
