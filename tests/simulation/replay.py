"""The same log gives the same bytes: decided once more, alone and without faults, cut otherwise into batches."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

from tests.simulation.network import Request
from tests.simulation.postgres import Postgres
from tests.simulation.tables import Tables
from tests.simulation.transactions import Connection, Transaction
from tests.simulation.workers import INSTALLATION, Cluster
from worker.lane.batch import Standing, settle
from worker.lane.parts import Parts
from worker.lane.ports import Database, Topics
from worker.store.journal_rows import JournalRow
from worker.store.lanes import BEFORE_ALL, Lane
from worker.wire.writer import Writer

RECORDS_AT_ONCE = 7


class AtOnce:
    """A connection on which every statement is done at once."""

    def __init__(self, postgres: Postgres) -> None:
        self.postgres = postgres
        self.session = postgres.open(None)

    async def execute(self, _: str, effect: Callable[[Request | None], Any]) -> Any:
        """One statement."""
        return effect(None)


class OnlyTransactions:
    """As much of a database as deciding needs."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """One transaction."""
        connection = AtOnce(self._postgres)
        yield Transaction(cast("Connection", connection), INSTALLATION, self._postgres.settings.rules.as_rules())
        self._postgres.end(connection.session)


def gives_the_same_journal(cluster: Cluster, lane: int) -> None:
    """E10: everything that a lane has decided, decided again from its log, is the same to the byte."""
    row = cluster.postgres.tables.lanes[lane]
    found = cluster.postgres.tables.journal.get(lane, [])
    again = decide_alone(cluster, Tables(), lane, row.next_offset)
    for one, other in zip(found, again, strict=False):
        assert one == other, f"E10: lane {lane}: decided again offset {one.offset} gives {other} for {one}"
    assert len(found) == len(again), f"E10: lane {lane}: decided again gives {len(again)} records for {len(found)}"


def decide_alone(cluster: Cluster, tables: Tables, lane: int, through: int) -> list[JournalRow]:
    """Decide a lane's log up to an offset, from its beginning, on these tables. Returns its journal."""
    tables.lanes[lane] = Lane(lane, 1, 0, BEFORE_ALL, None, 0, None, None)
    tables.room[lane] = through
    postgres = Postgres(cluster.world, cluster.settings, tables=tables)
    parts = Parts(
        settings=cluster.settings,
        database=cast("Database", OnlyTransactions(postgres)),
        topics=cast("Topics", None),
        installation=INSTALLATION,
        partitions=cluster.partitions,
        names=cluster.names,
        writer=Writer(INSTALLATION, cluster.settings.publishing.source),
    )
    deciding = _decide(parts, cluster, lane, through)
    try:
        while True:
            awaited = deciding.send(None)
            assert awaited is None, "deciding waits for something"  # but for letting others have their turn
    except StopIteration:
        return tables.journal.get(lane, [])


async def _decide(parts: Parts, cluster: Cluster, lane: int, through: int) -> None:
    log = cluster.broker.commands(lane)
    records = [log.record(offset) for offset, _ in log.committed() if offset < through]
    row = Lane(lane, 1, 0, BEFORE_ALL, None, 0, None, None)
    standing = Standing(row, None)
    for first in range(0, len(records), RECORDS_AT_ONCE):
        async for reached, _ in settle(parts, standing, records[first : first + RECORDS_AT_ONCE]):
            standing = reached
