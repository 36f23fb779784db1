"""Runs the migrations on a connection that was handed in, or on the database that the settings name."""

import asyncio
from typing import Any

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from worker.settings import load
from worker.store.engine import create_engine
from worker.store.tables import metadata

LOCK = 0x62696C6C696E67  # "billing"
WAIT_SECONDS_MAX = 600
MIGRATE_SECONDS_MAX = 3600
LOCK_MS_MAX = 500
"""Whoever waits for a table holds up all who come after, writers too. So a migration gives up soon, and comes again."""
TRIES_MAX = 5
PAUSE_SECONDS = 1
IN_THE_WAY = {"55P03", "40P01"}
"""Somebody has a table for longer than that; or waits for one of ours, while we wait for one of his (deadlock)."""


def tell(line: str) -> None:
    on_progress = context.config.attributes.get("on_progress")
    if on_progress:
        on_progress(line)


def note_who_is_served(connection: Connection) -> None:
    """Write down whose releases may work on this: of all revisions since which migrations only added."""
    (current,) = context.get_context().get_current_heads() or (None,)
    served = []
    for script in context.script.iterate_revisions(current, "base") if current else ():
        served.append(script.revision)
        if not script.module.only_adds:
            break
    connection.execute(text(f"COMMENT ON TABLE alembic_version IS '{' '.join(served)}'"))


def migrate(connection: Connection) -> None:
    done: list[str] = []

    def note(*, step: Any, **_: Any) -> None:
        verb = "applied" if step.is_upgrade else "took back"
        done.append(f"{verb} {step.up_revision_id}: {step.up_revision.doc}")

    context.configure(
        connection=connection, target_metadata=metadata, on_version_apply=note, compare_server_default=True
    )
    with context.begin_transaction():
        # Two of us at once: the second waits here, then finds nothing left to do. Tables are waited for only briefly.
        connection.execute(text(f"SET LOCAL lock_timeout = '{WAIT_SECONDS_MAX}s'"))
        connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_MS_MAX}ms'"))
        for tries_left in reversed(range(TRIES_MAX)):
            done.clear()
            try:
                with connection.begin_nested():  # what is rolled back lets go of its locks
                    context.run_migrations()
                    note_who_is_served(connection)
                break
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) not in IN_THE_WAY or not tries_left:
                    raise
            tell(f"a table is in use, nothing was changed: trying again, {tries_left} times more at most")
            connection.execute(text(f"SELECT pg_sleep({PAUSE_SECONDS})"))
    for line in done:
        tell(line)


async def connect_and_migrate() -> None:
    database = load().database
    engine = create_engine(
        database.owner_url or database.url,
        application_name="billing-worker migrate",
        command_seconds_max=MIGRATE_SECONDS_MAX,
        by_key=False,
    )
    try:
        async with engine.begin() as connection:
            await connection.run_sync(migrate)
    finally:
        await engine.dispose()


def print_statements() -> None:
    context.configure(dialect_name="postgresql", literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    print_statements()
elif handed_in := context.config.attributes.get("connection"):
    migrate(handed_in)
else:
    asyncio.run(connect_and_migrate())
