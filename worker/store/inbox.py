"""Command ids that were used up, and what was answered."""
# ruff: noqa: S608  the parts that SQL is put together from are constants of this package

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.book import Key
from worker.domain.values import Instant
from worker.store.columns import by_column, copy_into, unnest

_ASKED: Final = {"organization": "text", "command_id": "text"}
ANSWERED: Final = f"""
    SELECT seen.organization, seen.command_id, seen.content_hash, seen.outcome, seen.result
    FROM {unnest(_ASKED)} AS asked (organization, command_id)
    CROSS JOIN LATERAL (
        SELECT * FROM inbox
        WHERE inbox.organization = asked.organization AND inbox.command_id = asked.command_id OFFSET 0
    ) AS seen
"""
"""SQL for what was answered before of the commands that `asked` gives parameters for."""
_LOAD = text(ANSWERED)
USED: Final = {
    "organization": "text",
    "command_id": "text",
    "content_hash": "bytea",
    "lane": "integer",
    "offset": "bigint",
    "at": "timestamptz",
    "outcome": "text",
    "result": "bytea",
}
USE: Final = f"""
    INSERT INTO inbox ({", ".join(f'"{name}"' for name in USED)}) SELECT * FROM {unnest(USED, prefix="used_")}
"""
"""SQL that uses up the ids that `used` gives parameters for. One used before violates `a_command_id_is_used_once`."""
_USE = text(USE)


@dataclass(frozen=True, slots=True)
class Remembered:
    """What was answered to a command; `outcome` is accepted or rejected.

    The hash of its content is empty where the command itself was gone when its answer was folded from the topics.
    """

    content_hash: bytes
    outcome: str
    result: bytes

    def is_of(self, content_hash: bytes) -> bool:
        """Whether a command of this content is the same again. Where that cannot be known, it is taken for it."""
        return self.content_hash in {content_hash, b""}


class InboxRow(NamedTuple):
    """One id used up, at its place in the log."""

    organization: str
    command_id: str
    content_hash: bytes
    lane: int
    offset: int
    at: Instant
    outcome: str
    result: bytes


async def load(connection: AsyncConnection, ids: Collection[Key]) -> dict[Key, Remembered]:
    """Of these commands (organization, id) the ones that were answered before."""
    if not ids:
        return {}
    return remembered(await connection.execute(_LOAD, asked(ids)))


def asked(ids: Collection[Key]) -> dict[str, Any]:
    """The parameters of ANSWERED."""
    return by_column(_ASKED, list(ids))


def remembered(rows: Iterable[Sequence[Any]]) -> dict[Key, Remembered]:
    """By command, the rows of ANSWERED."""
    return {(row[0], row[1]): Remembered(*row[2:]) for row in rows}


async def append(connection: AsyncConnection, rows: Sequence[InboxRow]) -> None:
    """Use ids up. An id that was used before violates `a_command_id_is_used_once`."""
    if rows:
        await connection.execute(_USE, used(rows))


def used(rows: Sequence[InboxRow]) -> dict[str, Any]:
    """The parameters of USE."""
    return by_column(USED, rows, prefix="used_")


async def copy(connection: AsyncConnection, rows: Sequence[InboxRow]) -> None:
    """The same for thousands at once: quicker then, and one round trip more."""
    if rows:
        await copy_into(connection, "inbox", InboxRow._fields, rows)
