"""What operators did to the records of the system: who, when, with which arguments, and how it went.

Of cut-overs it is all that the database remembers: where each lane stood, and how many partitions there were before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from orjson import dumps
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.counts import CutOver
from worker.domain.values import Instant

CUT_OVER: Final = "topics cut-over"

_RECORD = text(
    """
    INSERT INTO audit (who, command, arguments, outcome)
    VALUES (:who, :command, CAST(:arguments AS json), CAST(:outcome AS json))
    RETURNING id
    """
)
_READ = text("SELECT id, at, who, command, arguments, outcome FROM audit ORDER BY id DESC LIMIT :limit")
_CUT_OVERS = text(
    """
    SELECT DISTINCT ON (declared) declared, outcome -> 'offsets', CAST(outcome ->> 'above' AS timestamptz)
    FROM (
        SELECT id, outcome, CAST(outcome ->> 'declared' AS integer) AS declared FROM audit WHERE command = :command
    ) AS done
    ORDER BY declared, id
    """
)


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that somebody did."""

    id: int
    at: Instant
    who: str
    command: str
    arguments: Mapping[str, Any]
    outcome: Mapping[str, Any]


async def record(
    connection: AsyncConnection, who: str, command: str, arguments: Mapping[str, Any], outcome: Mapping[str, Any]
) -> int:
    """Note an act; returns its number. Nothing that is noted is ever changed."""
    noted = await connection.execute(
        _RECORD,
        {
            "who": who,
            "command": command,
            "arguments": dumps(arguments).decode(),
            "outcome": dumps(outcome).decode(),
        },
    )
    number: int = noted.scalar_one()
    return number


async def latest(connection: AsyncConnection, limit: int) -> list[Act]:
    """The latest acts, the last one first."""
    return [Act(*row) for row in await connection.execute(_READ, {"limit": limit})]


async def cut_overs(connection: AsyncConnection) -> Sequence[CutOver]:
    """Every cut-over that was ever done, the oldest first: there were ever more partitions."""
    rows = await connection.execute(_CUT_OVERS, {"command": CUT_OVER})
    return [CutOver(declared, dict(enumerate(offsets)), above) for declared, offsets, above in rows]
