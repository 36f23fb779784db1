"""Databases side by side, row by row: what two of them have to have in common, and what they need not."""
# ruff: noqa: S608  the statements are of this module's own making

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from worker.store.tables import metadata

KEYS: Final[Mapping[str, Sequence[str]]] = {
    "accounts": ("organization", "account"),
    "holds": ("organization", "account", "sequence"),
    "phases": ("organization", "account", "sequence"),
    "projects": ("organization", "project"),
    "bindings": ("organization", "project", "since"),
    "inbox": ("organization", "command_id"),
    "journal": ("lane", '"offset"', "index"),
    "lanes": ("partition",),
}

MAY_DIFFER: Final = {
    "accounts": {
        # how far notices have come is no event; what is owed is, and that is compared by what comes of it
        "notices_after",
    },
    "lanes": {
        "epoch",  # owners are counted on
        "published",  # a lower bound
        "horizon_offset",  # another
    },
}
AS_PUBLISHED: Final = {
    # in the order of their names, whatever their publisher's was
    ("accounts", "labels"): "labels::jsonb::text",
    # a dead letter has no instant but its timestamp
    ("journal", "at"): "CASE topic WHEN 'dead-letters' THEN date_trunc('milliseconds', at) ELSE at END",
}

Rows = dict[str, list[tuple[object, ...]]]


async def rows_of(
    url: str, *, tables: Sequence[str] = tuple(KEYS), without: Mapping[str, set[str]] | None = None
) -> Rows:
    """Every row of every table, in order of its key, each with its columns' names."""
    engine = create_async_engine(make_url(url))
    rows: Rows = {}
    try:
        async with engine.connect() as connection:
            for table in tables:
                left_out = MAY_DIFFER.get(table, set()) | (without or {}).get(table, set())
                columns = [column.name for column in metadata.tables[table].columns if column.name not in left_out]
                selected = ", ".join(AS_PUBLISHED.get((table, name), f'"{name}"') + f' AS "{name}"' for name in columns)
                found = await connection.execute(
                    text(f"SELECT {selected} FROM {table} ORDER BY {', '.join(KEYS[table])}")
                )
                rows[table] = [tuple(zip(columns, row, strict=True)) for row in found]
    finally:
        await engine.dispose()
    return rows


def differences(these: Rows, those: Rows, most: int = 10) -> list[str]:
    """Where they differ, in words; nothing if they do not."""
    told = []
    for table, ours in these.items():
        theirs = those[table]
        if ours == theirs:
            continue
        told.append(f"{table}: {len(ours)} rows and {len(theirs)}")
        told += [f"{table}: only here {row}" for row in ours if row not in theirs][:most]
        told += [f"{table}: only there {row}" for row in theirs if row not in ours][:most]
    return told
