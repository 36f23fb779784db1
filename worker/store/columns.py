"""Many rows in one statement: unnested arrays where rows are looked up or changed, COPY where they are only added.

Plans are kept, and the first is made when a table is empty. So a join leaves the planner no choice: OFFSET 0 keeps a
subquery whole, LATERAL puts it inside, and there its key is all that it can be found by.
"""
# ruff: noqa: S608  the parts that SQL is put together from are constants of this package

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.store.errors import translated


def unnest(columns: Mapping[str, str], *, prefix: str = "") -> str:
    """SQL for one parameter per column, `:prefix_name`, read side by side as rows."""
    return "unnest(" + ", ".join(f"CAST(:{prefix}{name} AS {kind}[])" for name, kind in columns.items()) + ")"


def found(table: str, columns: Mapping[str, str], key: Sequence[str], *, prefix: str = "", among: str = "true") -> str:
    """SQL for given rows, each with the `place` of the table's row that has its key, `among` those it is unique in."""
    by_key = " AND ".join([f"{table}.{name} = given.{name}" for name in key] + [among])
    return f"""(
        SELECT given.*, row.place
        FROM {unnest(columns, prefix=prefix)} AS given ({", ".join(columns)})
        CROSS JOIN LATERAL (SELECT ctid AS place FROM {table} WHERE {by_key} OFFSET 0) AS row
    )"""


def by_column(columns: Iterable[str], rows: Sequence[Sequence[object]], *, prefix: str = "") -> dict[str, Any]:
    """The parameters for `unnest`."""
    names = [prefix + name for name in columns]
    return dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(names, ())


async def copy_into(connection: AsyncConnection, table: str, columns: Sequence[str], rows: Sequence[Any]) -> None:
    """Add rows within the transaction that is open. What goes wrong is raised as SQLAlchemy does elsewhere."""
    async with _copying(connection, table) as driver:
        await driver.copy_records_to_table(table, columns=columns, records=rows)


async def copy_encoded(connection: AsyncConnection, table: str, columns: Sequence[str], rows: bytes) -> None:
    """The same with rows that are in the binary format of COPY already."""
    async with _copying(connection, table) as driver:
        # in the driver's eyes bytes are the name of a file
        await driver.copy_to_table(table, columns=columns, source=memoryview(rows), format="binary")


@asynccontextmanager
async def _copying(connection: AsyncConnection, table: str) -> AsyncIterator[Any]:
    """The driver's connection, in the transaction that is open."""
    raw = await connection.get_raw_connection()
    driver: Any = raw.driver_connection
    if not driver.is_in_transaction():
        # SQLAlchemy begins with its first statement; before that, COPY would commit by itself
        raise RuntimeError("rows are only copied within a transaction that has begun")
    try:
        yield driver
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise translated(error, f"COPY {table}", is_closed=driver.is_closed()) from error
