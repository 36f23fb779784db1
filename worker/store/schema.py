"""The database's revision, and how to bring it to the one that this program needs.

Unlike the rest of the package, `upgrade` and `downgrade` connect and commit by themselves.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.store.engine import create_engine

_MIGRATE_SECONDS_MAX: Final = 3600.0
_SERVED: Final = text("SELECT coalesce(obj_description(to_regclass('alembic_version'), 'pg_class'), '')")
_PACKAGE: Final = Path(__file__).resolve().parent.parent


def migrations_directory() -> Path:
    """Beside the package in a checkout, inside it once installed."""
    installed = _PACKAGE / "migrations"
    return installed if installed.is_dir() else _PACKAGE.parent / "migrations"


def head_revision() -> str:
    """The revision that this program needs."""
    head = ScriptDirectory(str(migrations_directory())).get_current_head()
    if head is None:
        raise LookupError(f"no migrations in {migrations_directory()}")
    return head


async def current_revision(connection: AsyncConnection) -> str | None:
    """The revision that the database has; None before the first `migrate`."""
    return await connection.run_sync(_revision)


async def goes_with(connection: AsyncConnection) -> bool:
    """Whether this program can work with the database: at its own revision, or at one that only added to it.

    Which revisions before its own a database still serves, `migrate` writes down beside it (`migrations/env.py`).
    """
    head = head_revision()
    if await current_revision(connection) == head:
        return True
    return head in (await connection.execute(_SERVED)).scalar_one().split()


def advice_on(revision: str | None) -> str:
    """What to do about a database whose revision does not go with this program."""
    if revision is None or revision in _known():
        return "run `billing-worker migrate`"
    return "a later release has migrated it, and no longer serves this one: run that release"


async def upgrade(
    url: str,
    on_progress: Callable[[str], None] = lambda _: None,
    *,
    to: str = "head",
    search_path: str | None = None,
) -> None:
    """Bring the database to a revision, in one transaction; whoever comes second waits and finds it done.

    `on_progress` is told every revision that was applied. `search_path` is another schema than the role's own. What a
    later release has migrated is left alone.
    """

    def unless_it_is_further(config: Config) -> None:
        current = _revision(config.attributes["connection"])
        if current is None or current in _known():
            command.upgrade(config, to)
        else:
            on_progress(f"{current} is a later release's: nothing to do")

    await _run(url, on_progress, unless_it_is_further, search_path)


async def downgrade(url: str, on_progress: Callable[[str], None] = lambda _: None, *, to: str = "base") -> None:
    """Take the database back to a revision, with loss of what came after it."""
    await _run(url, on_progress, lambda config: command.downgrade(config, to))


async def _run(
    url: str,
    on_progress: Callable[[str], None],
    action: Callable[[Config], None],
    search_path: str | None = None,
) -> None:
    engine = create_engine(
        url,
        application_name="billing-worker migrate",
        command_seconds_max=_MIGRATE_SECONDS_MAX,
        by_key=False,
        search_path=search_path,
    )

    def migrate(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(migrations_directory()).replace("%", "%%"))
        config.attributes["connection"] = connection
        config.attributes["on_progress"] = on_progress
        action(config)

    try:
        async with engine.begin() as connection:
            await connection.run_sync(migrate)
    finally:
        await engine.dispose()


def _known() -> set[str]:
    return {script.revision for script in ScriptDirectory(str(migrations_directory())).walk_revisions()}


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
