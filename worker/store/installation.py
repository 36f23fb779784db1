"""Who we are: one installation per database, named by its first migration."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_READ = text("SELECT id, commands_topic, partitions FROM installation")
_DECLARE = text("UPDATE installation SET commands_topic = :topic, partitions = :partitions WHERE partitions IS NULL")


class DeclaredAnew(Exception):  # noqa: N818  it is the number that was
    """Another number of partitions is declared than this process began with: organizations live elsewhere now."""


@dataclass(frozen=True, slots=True)
class Installation:
    """`commands_topic` and its `partitions` are None until they are declared."""

    id: UUID
    commands_topic: str | None
    partitions: int | None


async def read(connection: AsyncConnection) -> Installation:
    """The installation of this database."""
    return _installation((await connection.execute(_READ)).one())


async def declare(connection: AsyncConnection, topic: str, partitions: int) -> Installation:
    """Settle topic and number of partitions, unless that was done before; what then holds."""
    await connection.execute(_DECLARE, {"topic": topic, "partitions": partitions})
    return await read(connection)


async def check(connection: AsyncConnection, partitions: int) -> None:
    """Raises DeclaredAnew if another number of partitions is declared by now."""
    declared = (await read(connection)).partitions
    if declared != partitions:
        raise DeclaredAnew(f"{declared} partitions are declared by now, and this process began with {partitions}")


def _installation(row: Row[tuple[UUID, str | None, int | None]]) -> Installation:
    return Installation(UUID(str(row.id)), row.commands_topic, row.partitions)
