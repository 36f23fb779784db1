"""Runs the migrations on a connection that was handed in, or on the database of BILLING_DATABASE__URL."""

import asyncio
import os
from typing import Any

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from worker.store.tables import metadata

LOCK = 0x62696C6C696E67  # "billing"
LOCK_SECONDS_MAX = 10
WAIT_SECONDS_MAX = 600


def say(*, step: Any, **_: Any) -> None:
    on_progress = context.config.attributes.get("on_progress")
    if on_progress:
        done = "applied" if step.is_upgrade else "took back"
        on_progress(f"{done} {step.up_revision_id}: {step.up_revision.doc}")


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection, target_metadata=metadata, on_version_apply=say, compare_server_default=True
    )
    with context.begin_transaction():
        # Two of us at once: the second waits here, then finds nothing left to do. Tables are waited for only briefly.
        connection.execute(text(f"SET LOCAL lock_timeout = '{WAIT_SECONDS_MAX}s'"))
        connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS_MAX}s'"))
        context.run_migrations()


async def connect_and_migrate(url: str) -> None:
    engine = create_async_engine(url)
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
    asyncio.run(connect_and_migrate(os.environ["BILLING_DATABASE__URL"]))
