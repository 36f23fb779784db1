import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.store import installation, revisions, schema
from worker.store.engine import create_engine
from worker.store.tables import metadata

ROOT = Path(schema.__file__).parents[2]

OBJECTS = """
    SELECT relname FROM pg_class WHERE relnamespace = CAST('public' AS regnamespace) AND relname NOT LIKE 'alembic%'
    UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = CAST('public' AS regnamespace)
"""


async def objects(url: str) -> set[str]:
    engine = create_engine(url)
    async with engine.connect() as connection:
        found = set((await connection.execute(text(OBJECTS))).scalars())
    await engine.dispose()
    return found


async def test_up_down_and_up_again(empty_database: str) -> None:
    told: list[str] = []
    await schema.upgrade(empty_database, told.append)
    first = await objects(empty_database)
    await schema.downgrade(empty_database)
    nothing = await objects(empty_database)
    await schema.upgrade(empty_database)
    second = await objects(empty_database)

    assert [line.split(":")[0] for line in told] == [
        "applied accounts_and_bindings",
        "applied lanes_and_journal",
        "applied audit",
    ]
    assert nothing == set()
    assert first == second
    assert {"bindings", "journal", "inbox_7", "ensure_journal_pieces"} <= first


MIGRATE = "import asyncio, sys; from worker.store import schema; asyncio.run(schema.upgrade(sys.argv[1], print))"


async def test_of_two_who_migrate_at_once_one_does_it(empty_database: str) -> None:
    async def migrate() -> bytes:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", MIGRATE, empty_database, stdout=asyncio.subprocess.PIPE, cwd=ROOT
        )
        told, _ = await process.communicate()
        assert process.returncode == 0
        return told

    assert sorted(told.count(b"applied") for told in await asyncio.gather(migrate(), migrate())) == [0, 3]


async def test_the_revision_is_known(empty_database: str) -> None:
    engine = create_engine(empty_database)
    async with engine.connect() as connection:
        assert await revisions.current_revision(connection) is None
    await schema.upgrade(empty_database)
    async with engine.connect() as connection:
        assert await revisions.current_revision(connection) == revisions.head_revision()
    await engine.dispose()


def test_the_revisions_read_are_those_of_alembic() -> None:
    scripts = ScriptDirectory(str(revisions.migrations_directory()))

    assert revisions.known_revisions() == {each.revision: each.down_revision for each in scripts.walk_revisions()}
    assert revisions.head_revision() == scripts.get_current_head()


def test_a_worker_does_without_alembic() -> None:
    script = "import sys; import worker.app, worker.cli.run; sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0


async def test_every_installation_is_another(empty_database: str, connection: AsyncConnection) -> None:
    await schema.upgrade(empty_database)
    engine = create_engine(empty_database)
    async with engine.connect() as other:
        assert (await installation.read(other)).id != (await installation.read(connection)).id
    await engine.dispose()


@pytest.mark.filterwarnings("ignore:Computed default")  # compared below
async def test_the_tables_in_the_program_are_those_of_the_migrations(connection: AsyncConnection) -> None:
    def differences(sync: Connection) -> list[object]:
        def is_ours(_object: object, name: str | None, kind: str, *_: object) -> bool:
            return kind != "table" or name in metadata.tables

        options = {"include_object": is_ours, "compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(sync, opts=options), metadata))

    assert await connection.run_sync(differences) == []


CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, regexp_replace(pg_get_constraintdef(oid), '\\s+', ' ', 'g')
    FROM pg_constraint
    WHERE conrelid::regclass::text = ANY(:tables) AND contype IN ('c', 'p', 'u', 'f')
"""
INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE tablename = ANY(:tables)"
COLUMNS = """
    SELECT table_name, column_name, collation_name, generation_expression FROM information_schema.columns
    WHERE table_name = ANY(:tables)
"""


@pytest.mark.parametrize("catalog", [CONSTRAINTS, INDEXES, COLUMNS])
async def test_constraints_and_indexes_are_the_same_to_the_letter(connection: AsyncConnection, catalog: str) -> None:
    """Alembic compares neither checks nor predicates: so the program's tables are made too, and both are read back."""
    tables = {"tables": list(metadata.tables)}
    migrated = {tuple(row) for row in await connection.execute(text(catalog), tables)}
    await connection.execute(text("DROP SCHEMA public CASCADE"))
    await connection.execute(text("CREATE SCHEMA public"))
    await connection.run_sync(metadata.create_all)

    made = {tuple(row) for row in await connection.execute(text(catalog), tables)}

    assert made == migrated


def test_every_check_is_named_as_a_rule() -> None:
    names = [
        str(constraint.name)
        for table in metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    ]

    assert all(name.count("_") >= 2 or name == "" for name in names), names
