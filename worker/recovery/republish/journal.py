"""The journal, read in large pages from a place on, and the latest state of each key, by a cursor of the server's."""
# ruff: noqa: S608  the parts that SQL is put together from are constants of this module and numbers

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.recovery.republish.order import LOGS, STATES, Edge, Selection
from worker.store.journal_rows import JournalRow
from worker.wire.outgoing import Topic

_COLUMNS = '"offset", index, at, topic, key, value, headers'
_AT_EASE = (
    # A role that runs workers is held to plans by key and to short statements; these read whole lanes.
    "SET LOCAL statement_timeout = '1h'",
    "SET LOCAL idle_in_transaction_session_timeout = '1h'",
    "SET LOCAL enable_seqscan = on",
    "SET LOCAL enable_bitmapscan = on",
)


class Place(NamedTuple):
    """Record number `index` of the command at `offset`."""

    offset: int
    index: int  # type: ignore[assignment]  # nobody looks for a value in a place


@dataclass(frozen=True, slots=True)
class Stretch:
    """Offsets `[first, last)` of a lane. `end` is how far its latest states may come from."""

    lane: int
    first: int
    last: int
    end: int


@dataclass(frozen=True, slots=True)
class Amount:
    """How much of a topic a stretch holds; of a topic of states, how many keys."""

    topic: Topic
    records: int
    bytes: int
    first: int
    last: int


async def at_ease(connection: AsyncConnection) -> None:
    """Let this transaction read whole lanes."""
    for statement in _AT_EASE:
        await connection.exec_driver_sql(statement)


async def stretch_of(connection: AsyncConnection, lane: int, selection: Selection, end: int) -> Stretch:
    """What a selection means in a lane that is taken up to `end`."""
    first = await _offset_of(connection, lane, selection.since, end) or 0
    last = end if selection.until is None else await _offset_of(connection, lane, selection.until, end)
    return Stretch(lane, min(first, end), min(last, end), end)


async def _offset_of(connection: AsyncConnection, lane: int, edge: Edge, end: int) -> int:
    """The first offset at or after an edge. Instants rise with offsets, so halving finds one."""
    if not isinstance(edge, datetime):
        return edge or 0
    following = text(
        f'SELECT "offset", at FROM journal_{lane:d} WHERE lane = {lane:d} AND "offset" >= :o ORDER BY "offset" LIMIT 1'
    )
    low, high = 0, end
    while low < high:
        middle = (low + high) // 2
        row = (await connection.execute(following, {"o": middle})).one_or_none()
        if row is None or row.at >= edge:
            high = middle
        else:
            low = row.offset + 1
    return low


async def amounts(connection: AsyncConnection, stretch: Stretch, selection: Selection) -> list[Amount]:
    """How much there is, topic by topic. Reads the whole stretch."""
    where, parameters = _narrowed(selection, LOGS)
    logs = f"""
        SELECT topic, count(*), coalesce(sum(octet_length(value)), 0)::bigint, min("offset"), max("offset")
        FROM journal_{stretch.lane:d} WHERE lane = {stretch.lane:d}
        AND "offset" >= :first AND "offset" < :last AND {where} GROUP BY topic ORDER BY topic
        """
    bounds = {"first": stretch.first, "last": stretch.last}
    rows = list(await connection.execute(text(logs), parameters | bounds)) if parameters["topics"] else []
    latest, parameters = _latest(stretch, selection)
    states = f"""
        SELECT topic, count(*), coalesce(sum(octet_length(value)), 0)::bigint, min("offset"), max("offset")
        FROM ({latest}) AS latest GROUP BY topic ORDER BY topic
        """
    if parameters["topics"]:
        rows += list(await connection.execute(text(states), parameters))
    return [Amount(Topic(row[0]), *row[1:]) for row in rows]


async def page(
    connection: AsyncConnection, lane: int, after: Place, last: int, selection: Selection, rows_max: int
) -> list[JournalRow]:
    """The next records behind a place, in order; fewer than `rows_max` when that is all."""
    where, parameters = _narrowed(selection, LOGS)
    statement = f"""
        SELECT {_COLUMNS} FROM journal_{lane:d}
        WHERE lane = {lane:d} AND "offset" >= :after_offset AND "offset" < :last
        AND ("offset", index) > (:after_offset, :after_index) AND {where}
        ORDER BY "offset", index LIMIT :rows_max
        """
    found = await connection.execute(
        text(statement),
        parameters | {"after_offset": after.offset, "after_index": after.index, "last": last, "rows_max": rows_max},
    )
    return [JournalRow._make(row) for row in found]


async def latest_states(
    connection: AsyncConnection, stretch: Stretch, selection: Selection, rows_max: int
) -> AsyncIterator[Sequence[JournalRow]]:
    """Of every key that the stretch touches its latest state in the journal, in the order of the journal.

    Keeps a transaction open; the server sorts, this side holds a page.
    """
    latest, parameters = _latest(stretch, selection)
    statement = f'{latest} ORDER BY latest."offset", latest.index'
    streamed = await connection.stream(text(statement), parameters, execution_options={"yield_per": rows_max})
    async for rows in streamed.partitions(rows_max):  # it does not go by `yield_per` of itself
        yield [JournalRow._make(row) for row in rows]


def _latest(stretch: Stretch, selection: Selection) -> tuple[str, dict[str, Any]]:
    """SQL for the latest state of each key. Found first without its value, which is then looked up by its place."""
    where, parameters = _narrowed(selection, STATES)
    table = f"journal_{stretch.lane:d}"
    statement = f"""
        SELECT {", ".join(f"state.{name}" for name in _COLUMNS.split(", "))}
        FROM (
            SELECT place[1] AS "offset", place[2]::integer AS index FROM (
                SELECT max(ARRAY["offset", index::bigint]) AS place FROM {table}
                WHERE lane = {stretch.lane:d} AND "offset" < :end AND {where}
                GROUP BY topic, key HAVING bool_or("offset" >= :first AND "offset" < :last)
            ) AS places ORDER BY 1, 2
        ) AS latest
        CROSS JOIN LATERAL (
            SELECT {_COLUMNS} FROM {table} AS row
            WHERE row.lane = {stretch.lane:d} AND row."offset" = latest."offset" AND row.index = latest.index OFFSET 0
        ) AS state
        """
    return statement, parameters | {"first": stretch.first, "last": stretch.last, "end": stretch.end}


def _narrowed(selection: Selection, among: tuple[Topic, ...]) -> tuple[str, dict[str, Any]]:
    """SQL for what is looked for, and its parameters."""
    parameters: dict[str, Any] = {"topics": [topic.value for topic in selection.chosen(among)]}
    where = "topic = ANY(CAST(:topics AS text[]))"
    if selection.organization is not None:
        name = selection.organization.encode()
        parameters |= {"organization": name, "prefix": name + b"/", "length": len(name) + 1}
        where += " AND (key = :organization OR substring(key FROM 1 FOR :length) = :prefix)"
    if selection.subject is not None:
        parameters["subject"] = selection.subject.key.encode()
        where += " AND key = :subject"
    return where, parameters
