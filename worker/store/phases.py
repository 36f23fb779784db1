"""The history of phases: a row for each that began."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.book import Key, Recorded
from worker.domain.events import PhaseChanged
from worker.domain.values import Instant, Phase
from worker.store.columns import by_column, unnest

_BEGUN: Final = {
    "organization": "text",
    "account": "text",
    "sequence": "bigint",
    "at": "timestamptz",
    "phase": "text",
    "reason": "text",
}
_BEGIN = text(f"INSERT INTO phases ({', '.join(_BEGUN)}) SELECT * FROM {unnest(_BEGUN)}")  # noqa: S608  constants
_READ = text(
    """
    SELECT phase, reason, at, lead(at) OVER (ORDER BY sequence)
    FROM phases WHERE organization = :organization AND account = :account ORDER BY sequence
    """
)


@dataclass(frozen=True, slots=True)
class PhaseInterval:
    """Where an account stood in `[since, until)`, and why. `until` None: still.

    An account that is Ready at its creation was Provisioning for an interval without length.
    """

    phase: Phase
    reason: str
    since: Instant
    until: Instant | None


async def save(connection: AsyncConnection, recorded: Sequence[Recorded]) -> None:
    """Add the phases that began."""
    rows = [
        (entry.organization, event.account, entry.sequence, event.at, event.entered, event.reason)
        for entry in recorded
        if isinstance(event := entry.event, PhaseChanged)
    ]
    if rows:
        await connection.execute(_BEGIN, by_column(_BEGUN, rows))


async def read(connection: AsyncConnection, key: Key) -> tuple[PhaseInterval, ...]:
    """All phases of an account, oldest first; none if there is no such account."""
    organization, account = key
    rows = await connection.execute(_READ, {"organization": organization, "account": account})
    return tuple(PhaseInterval(Phase(phase), reason, since, until) for phase, reason, since, until in rows)
