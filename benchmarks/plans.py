"""The plans of every statement of a batch: each row must be found by key, however much history there is.

By key means that the first column of the index is compared for equality, and the second too where the first is the
organization: a range of it, or a condition on later columns alone, reads an index through, or all of an organization's
part, although EXPLAIN calls it a condition.
"""
# ruff: noqa: SLF001  the statements themselves are what is looked at

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.store import accounts, due, holds, inbox, lanes, paid, projects
from worker.store.engine import create_engine

HOT: Final[Mapping[str, TextClause]] = {
    "move the lane": lanes._MOVE,
    "load projects": projects._LOAD,
    "save projects": projects._SAVE,
    "load accounts": accounts._LOAD,
    "change accounts": accounts._CHANGE,
    "load what an account pays for": paid._FIRST,
    "load what is due": due._DUE,
    "load whom notices are owed": due._NOTICES,
    "ask when something is due": due._NEXT,
    "release holds": holds._LIFT,
    "load the inbox": inbox._LOAD,
}
NO_TABLE: Final = {"Function Scan", "CTE Scan", "Subquery Scan", "Values Scan"}
LEADS: Final = """
    SELECT relname, pg_get_indexdef(oid, 1, true), pg_get_indexdef(oid, 2, true)
    FROM pg_class JOIN pg_index ON indexrelid = oid
"""
TENANT: Final = "organization"


@dataclass(frozen=True)
class Scan:
    """How a plan reads a table."""

    node: str
    index: str | None
    condition: str
    is_keyed: bool


async def explained(url: str) -> dict[str, list[Scan]]:
    """The scans in the plan of each statement, as a worker's connection plans it."""
    engine = create_engine(url)
    try:
        async with engine.connect() as connection:
            leads = {index: columns for index, *columns in await connection.execute(text(LEADS))}
            return {
                name: [_scan(node, leads) for node in _scans(await _plan(connection, statement))]
                for name, statement in HOT.items()
            }
    finally:
        await engine.dispose()


def not_by_key(found: Mapping[str, Sequence[Scan]]) -> list[str]:
    """Statements that read a table or an index through, or of which it cannot be told."""
    return [name for name, scans in found.items() if not scans or not all(scan.is_keyed for scan in scans)]


def _scan(node: dict[str, Any], leads: Mapping[str, Sequence[str]]) -> Scan:
    index, condition = node.get("Index Name"), str(node.get("Index Cond", node.get("TID Cond", "")))
    if index is None:
        return Scan(node["Node Type"], None, condition, "TID Cond" in node)
    first, second = leads[index]
    compared = [first, second] if first == TENANT else [first]
    is_keyed = all(re.search(rf"\b{re.escape(column)} = ", condition) for column in compared)
    return Scan(node["Node Type"], index, condition, is_keyed)


async def _plan(connection: AsyncConnection, statement: TextClause) -> dict[str, Any]:
    driver: Any = (await connection.get_raw_connection()).driver_connection
    sql = str(statement.compile(dialect=connection.dialect))
    nulls = ", ".join(["NULL"] * len(set(re.findall(r"\$\d+", sql))))
    await driver.execute(f"PREPARE asked AS {sql}")
    written = await driver.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE asked ({nulls})")
    await driver.execute("DEALLOCATE asked")
    found: dict[str, Any] = (written if isinstance(written, list) else json.loads(written))[0]["Plan"]
    return found


def _scans(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Every node that reads a table or an index."""
    here = [plan] if plan["Node Type"].endswith("Scan") and plan["Node Type"] not in NO_TABLE else []
    return here + [scan for inner in plan.get("Plans", []) for scan in _scans(inner)]
