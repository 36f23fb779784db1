"""The module's server as its superuser knows it, and the role that its workers connect as."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from tests.system.settling import until
from worker.embedded import Postgres
from worker.store.engine import create_engine
from worker.store.roles import grant_runtime

ROLE = "runtime"


def superuser_url(server: Postgres) -> str:
    """The server's own database, for its superuser."""
    return server.url("postgres", user="postgres")


def through(port: int, url: str) -> str:
    """The same database through a relay."""
    return make_url(url).set(port=port).render_as_string(hide_password=False)


async def grant(url: str) -> None:
    """Let the runtime role use a database."""
    engine = create_engine(url, by_key=False)
    async with engine.begin() as owner:
        await grant_runtime(owner, ROLE, ROLE)
    await engine.dispose()


async def ask(url: str, statement: str, **parameters: object) -> Sequence[Any]:
    """The rows that a statement answers with, outside any transaction."""
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            rows = await connection.execute(text(statement), parameters)
            return rows.all() if rows.returns_rows else []
    finally:
        await engine.dispose()


async def answers(url: str, seconds: float = 60) -> None:
    """Wait until the server lets somebody in."""

    async def lets_in() -> bool:
        try:
            await ask(url, "SELECT 1")
        except (DBAPIError, OSError):
            return False
        return True

    await until(lets_in, "the server answers", seconds)
