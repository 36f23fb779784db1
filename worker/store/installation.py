"""Who we are: one installation per database, named by its first migration."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_READ = text("SELECT id, commands_topic, partitions FROM installation")
_DECLARE = text("UPDATE installation SET commands_topic = :topic, partitions = :partitions WHERE partitions IS NULL")


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


def _installation(row: Row[tuple[UUID, str | None, int | None]]) -> Installation:
    return Installation(UUID(str(row.id)), row.commands_topic, row.partitions)
