"""Years of bindings, loaded by COPY: the tables, keys and indexes are in the end as the migrations make them."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import asyncpg

from benchmarks.mixes import NAMES, command
from benchmarks.stage import Command

CHUNK_PROJECTS: Final = 5_000
SECONDS_A_DAY: Final = 86_400
SCRAMBLE: Final = 0x9E3779B97F4A7C15  # odd: each number has a name of its own, and neighbours lie far apart
NAMED: Final = 2**64
DAYS: Final = tuple(f"2024-{month:02}-01" for month in range(1, 13))
TIMES: Final = tuple(f"{n // 3_600:02}:{n // 60 % 60:02}:{n % 60:02}" for n in range(SECONDS_A_DAY))
NULL: Final = r"\N"
TABLES: Final = ("projects", "bindings")
MEMORY: Final = ("SET maintenance_work_mem = '1GB'", "SET work_mem = '256MB'", "SET jit = off")
KEYS: Final = """
    SELECT conrelid::regclass::text AS table, conname AS name, pg_get_constraintdef(oid) AS definition
    FROM pg_constraint WHERE conrelid = ANY ($1::text[]::regclass[]) AND contype IN ('p', 'u', 'f')
    ORDER BY contype = 'f', conrelid, conname
"""
INDEXES: Final = """
    SELECT tablename AS table, indexname AS name, indexdef AS definition FROM pg_indexes
    WHERE tablename = ANY ($1) AND indexname NOT IN (SELECT conname FROM pg_constraint) ORDER BY indexname
"""
COUNTED: Final = """
    UPDATE accounts AS a SET active_bindings = paid.active, last_binding_until = paid.until FROM (
        SELECT organization, account, count(*) FILTER (WHERE ended = 'open') AS active,
            max(until) FILTER (WHERE ended <> 'open') AS until
        FROM bindings GROUP BY organization, account
    ) AS paid
    WHERE a.organization = paid.organization AND a.account = paid.account
"""
COLUMNS: Final = {
    "projects": ("organization", "project", "lane", "sequence", "registered_at", "locked", "at_risk", "tombstoned"),
    "bindings": (
        *("organization", "project", "since", "until", "prev_until", "binding", "ended", "prev_ended"),
        *("account", "currency"),
    ),
}


@dataclass(frozen=True)
class History:
    """So many projects of some organizations, each with so many intervals one after the other, the last one open.

    The accounts pay in turn.
    """

    projects: int
    intervals: int = 5
    accounts: Sequence[str] = ("main", "other")
    names: Sequence[str] = NAMES

    @property
    def bindings(self) -> int:
        """How many there are."""
        return self.projects * self.intervals

    async def load(self, url: str, lanes: Mapping[str, int]) -> None:
        """Fill the tables of a deployment at rest, whose accounts are there and pay for nothing.

        `lanes` are the organizations'. Raises AssertionError if a key or an index is not in the end what it was.
        """
        connection = await asyncpg.connect(url.replace("+asyncpg", ""), timeout=10, command_timeout=1_800)
        try:
            for setting in MEMORY:
                await connection.execute(setting)
            async with connection.transaction():
                keys, indexes = [await connection.fetch(query, TABLES) for query in (KEYS, INDEXES)]
                await _drop(connection, keys, indexes)
                for table in TABLES:
                    rows = self._rows(table, lanes)
                    await connection.copy_to_table(table, source=rows, columns=COLUMNS[table])
                await _restore(connection, keys, indexes)
                await connection.execute(COUNTED)
                found = [await connection.fetch(query, TABLES) for query in (KEYS, INDEXES)]
                if found != [keys, indexes]:
                    raise AssertionError("keys or indexes are not what the migrations made")
            for table in (*TABLES, "accounts"):
                await connection.execute(f"VACUUM (ANALYZE) {table}")
        finally:
            await connection.close()

    def moves(self, count: int, seed: int) -> Iterator[Command]:
        """Commands that give so many of its projects, drawn at random, another payer."""
        last = self.accounts[(self.intervals - 1) % len(self.accounts)]
        heir = "other" if last == "main" else "main"
        for number in Random(seed).sample(range(self.projects), count):  # noqa: S311  repeatable, not secret
            organization = self._organization(number)
            values = {"project": _project(number), "account": heir}
            yield organization, command(organization, "project.bind", f"history-{seed}-{number}", **values)

    def _organization(self, number: int) -> str:
        return self.names[number % len(self.names)]

    async def _rows(self, table: str, lanes: Mapping[str, int]) -> AsyncIterator[bytes]:
        """The table's rows in the text of COPY, some thousands at a time."""
        for first in range(0, self.projects, CHUNK_PROJECTS):
            numbers = range(first, min(first + CHUNK_PROJECTS, self.projects))
            if table == "projects":
                text = "".join(self._project_row(number, lanes) for number in numbers)
            else:
                text = "".join(self._binding_rows(number) for number in numbers)
            yield text.encode()

    def _project_row(self, number: int, lanes: Mapping[str, int]) -> str:
        organization = self._organization(number)
        # registered, then established for the first, superseded and established for each that follows
        sequence = 2 * self.intervals
        at = _instant(0, number)
        return f"{organization}\t{_project(number)}\t{lanes[organization]}\t{sequence}\t{at}\tf\tf\tf\n"

    def _binding_rows(self, number: int) -> str:
        head = f"{self._organization(number)}\t{_project(number)}"
        rows, last = [], self.intervals - 1
        for turn in range(self.intervals):
            since = _instant(turn, number)
            until, ended = ("infinity", "open") if turn == last else (_instant(turn + 1, number), "superseded")
            before = f"{since}\t{{}}\t{{}}\tsuperseded" if turn else f"{NULL}\t{{}}\t{{}}\t{NULL}"
            account = self.accounts[turn % len(self.accounts)]
            binding = f"{number * self.intervals + turn:032x}"
            rows.append(f"{head}\t{since}\t{until}\t{before.format(binding, ended)}\t{account}\tEUR\n")
        return "".join(rows)


async def _drop(connection: asyncpg.Connection, keys: Sequence[Any], indexes: Sequence[Any]) -> None:
    for key in reversed(keys):
        await connection.execute(f"ALTER TABLE {key['table']} DROP CONSTRAINT {key['name']}")
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['name']}")


async def _restore(connection: asyncpg.Connection, keys: Sequence[Any], indexes: Sequence[Any]) -> None:
    for key in keys:
        await connection.execute(f"ALTER TABLE {key['table']} ADD CONSTRAINT {key['name']} {key['definition']}")
    for index in indexes:
        await connection.execute(index["definition"])


def _project(number: int) -> str:
    return f"project-{number * SCRAMBLE % NAMED:016x}"


def _instant(turn: int, number: int) -> str:
    """In the month of the turn, no two projects at once."""
    return f"{DAYS[turn]} {TIMES[number % SECONDS_A_DAY]}.{number // SECONDS_A_DAY:06}+00"
