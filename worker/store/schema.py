"""Bringing the database to the revision that this program needs.

Unlike the rest of the package, this connects and commits by itself.
"""

from collections.abc import Callable
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from worker.store.engine import create_engine
from worker.store.revisions import known_revisions, migrations_directory

_MIGRATE_SECONDS_MAX: Final = 3600.0


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
        if current is None or current in known_revisions():
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


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
