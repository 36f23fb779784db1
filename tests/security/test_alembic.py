"""Alembic's own program, for whoever writes a migration, reaches the database as the worker does."""

import asyncio
import os
import sys
from pathlib import Path
from uuid import uuid4

from sqlalchemy.engine import make_url

from tests.system.provision import settings_of
from worker.embedded import Postgres
from worker.store import revisions
from worker.store.engine import create_engine

ROOT = Path(revisions.__file__).parents[2]


async def test_it_speaks_tls_and_takes_the_password_from_its_file(
    postgres: Postgres, reaching_postgres: dict[str, str]
) -> None:
    name = f"alembic_{uuid4().hex[:8]}"
    await postgres.create_database(name)
    url = make_url(reaching_postgres["BILLING_DATABASE__URL"]).set(database=name).render_as_string()
    environment = reaching_postgres | {"BILLING_DATABASE__URL": url}

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "alembic", "upgrade", "head"), env=os.environ | environment, cwd=ROOT
    )
    assert await process.wait() == 0

    engine = create_engine(settings_of(environment).database.url)
    async with engine.connect() as connection:
        assert await revisions.current_revision(connection) == revisions.head_revision()
    await engine.dispose()
    await postgres.drop_database(name)
