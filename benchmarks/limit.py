"""The limit probe: the same bytes with no rules. What the stack itself takes is the ceiling of any worker on it.

`measure` lets it read a backlog that the worker has read before, and looks in the worker's database what that came to.
The probe, one process, does for each partition side by side, at most as many records at a time as the worker:

- reads the topic of commands with the worker's client settings, and parses each value with `json`;
- in one PostgreSQL transaction a batch, writes as many rows as the worker wrote per command, of the widths that the
  worker's rows have (those inserted and those updated; the lane's own too), by one COPY into a table of one column;
- publishes, in one Kafka transaction, copies of the records that the worker published (events, results, states: the
  sample goes round), the horizon and the group's offset, with the worker's own publisher, while the next batch is
  written.

fsync, synchronous_commit and acks=all are as for the worker. The probe does not: look anything up, decide, check for
duplicates, build a record, compute an id, keep an index or a constraint, fence, or take over. No worker that answers
commands can be as quick; one that is slower by little spends little on what the probe leaves out.
"""

import asyncio
import gc
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from benchmarks.measuring import Drained, Moved, drain, moved
from benchmarks.stage import Backlog, Stage
from worker.broker import clients
from worker.lane.publisher import Handover, TransactionalPublisher
from worker.lane.sending import TopicNames
from worker.settings import Settings, load
from worker.wire.horizons import Horizon
from worker.wire.outgoing import Outgoing, Topic, restore
from worker.wire.writer import Writer

MODULE: Final = "benchmarks.limit"
SAMPLE_COMMANDS: Final = 2_000
SAMPLE_ROWS: Final = 2_000
HANDOVERS_MAX: Final = 2  # as the worker's lanes
ROW_HEAD_BYTES: Final = 24 + 4  # of a row, and of its one value
TABLE: Final = "probe"
WRITTEN: Final = """
    SELECT coalesce(parent.relname, s.relname) AS name, sum(s.n_tup_ins + s.n_tup_upd)::bigint AS rows
    FROM pg_stat_user_tables AS s LEFT JOIN pg_class AS parent ON parent.oid = pg_partition_root(s.relid)
    WHERE s.schemaname = 'public' GROUP BY 1 HAVING sum(s.n_tup_ins + s.n_tup_upd) > 0 ORDER BY 1
"""


@dataclass(frozen=True)
class Model:
    """What a worker has made of commands: outgoing records of each of a sample, and widths of rows, in proportion."""

    outgoing: Sequence[Sequence[Outgoing]]
    widths: Sequence[int]
    rows_per_command: float


async def model_of(url: str) -> Model:
    """Look into the database of a worker that has come to the end of a backlog."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""), timeout=10)
    try:
        commands = await connection.fetchval("SELECT sum(next_offset) FROM lanes")
        every = max(1, commands // SAMPLE_COMMANDS)
        journal = await connection.fetch(
            'SELECT lane, "offset", at, topic, key, value, headers FROM journal WHERE "offset" % $1 = 0'
            ' ORDER BY lane, "offset", index',
            every,
        )
        outgoing = [
            [restore(Topic(row["topic"]), row["key"], row["value"], row["headers"], _ms(row["at"])) for row in rows]
            for _, rows in groupby(journal, key=lambda row: (row["lane"], row["offset"]))
        ]
        written = {row["name"]: row["rows"] for row in await connection.fetch(WRITTEN)}
        total = sum(written.values())
        widths: list[int] = []
        for table, rows in written.items():
            widths += _spread(await _widths(connection, table), rows * SAMPLE_ROWS // total + 1)
    finally:
        await connection.close()
    return Model(outgoing, widths, total / commands)


async def _widths(connection: asyncpg.Connection, table: str) -> list[int]:
    """How wide the table's rows are."""
    statement = f'SELECT pg_column_size(t.*) AS bytes FROM "{table}" AS t LIMIT {SAMPLE_ROWS}'  # noqa: S608  our own
    return [row["bytes"] for row in await connection.fetch(statement)]


def _spread(widths: Sequence[int], count: int) -> list[int]:
    """So many of them, the first as often as the last."""
    return [widths[place * len(widths) // count] for place in range(count)] if widths else []


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


class Probe:
    """All partitions of one backlog."""

    def __init__(self, settings: Settings, model: Model, pool: asyncpg.Pool, installation: UUID) -> None:
        self._settings = settings
        self._model = model
        self._pool = pool
        self._installation = installation
        self._writer = Writer(installation, settings.publishing.source)
        self._names = TopicNames(settings)
        self._rows = [(os.urandom(max(1, width - ROW_HEAD_BYTES)),) for width in model.widths]

    async def lane(self, consumer: AIOKafkaConsumer, partition: int) -> None:
        """Move one partition, for ever."""
        log = TopicPartition(self._settings.topics.commands, partition)
        publisher = TransactionalPublisher(self._settings, self._names, self._installation, partition)
        await publisher.start()
        publisher.sign(self._installation, 1)
        handovers: asyncio.Queue[Handover] = asyncio.Queue(HANDOVERS_MAX)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._write(consumer, log, handovers))
            tasks.create_task(self._publish(publisher, handovers))

    async def _write(
        self, consumer: AIOKafkaConsumer, log: TopicPartition, handovers: "asyncio.Queue[Handover]"
    ) -> None:
        commands, rows = 0, 0
        most = self._settings.lanes.batch_records_max
        while True:
            records = (await consumer.getmany(log, timeout_ms=1_000, max_records=most)).get(log)
            if not records:
                continue
            for record in records:
                json.loads(record.value)
            upto = int((commands + len(records)) * self._model.rows_per_command)
            await self._save(rows, upto)
            await handovers.put(self._handover(log.partition, commands, records))
            commands, rows = commands + len(records), upto

    async def _save(self, first: int, last: int) -> None:
        count = len(self._rows)
        async with self._pool.acquire() as connection, connection.transaction():
            rows = [self._rows[place % count] for place in range(first, last)]
            await connection.copy_records_to_table(TABLE, columns=["bytes"], records=rows)

    def _handover(self, partition: int, first: int, records: Sequence[ConsumerRecord]) -> Handover:
        sample = self._model.outgoing
        outgoing = [record for place in range(first, first + len(records)) for record in sample[place % len(sample)]]
        next_offset = records[-1].offset + 1
        horizon = Horizon(datetime.now(UTC), next_offset, 1, self._installation)
        told = self._writer.horizon(self._settings.topics.commands, partition, horizon)
        return Handover(outgoing, next_offset, told)

    @staticmethod
    async def _publish(publisher: TransactionalPublisher, handovers: "asyncio.Queue[Handover]") -> None:
        while True:
            waiting = [await handovers.get()]
            while not handovers.empty():
                waiting.append(handovers.get_nowait())
            await publisher.publish(waiting)


async def measure(
    stage: Stage, backlog: Backlog, model_url: str, *, partitions: int, what: str
) -> tuple[Drained, Moved]:
    """How fast the backlog is moved with no rules, and how much that came to."""
    async with stage.site(backlog, partitions=partitions) as site:
        await stage.say(site.settings.database.url, f"CREATE TABLE {TABLE} (bytes bytea NOT NULL)")
        drained = await drain(stage, site, backlog.ends, module=(MODULE, model_url), what=what)
        return drained, await moved(stage, site)


@asynccontextmanager
async def _consumer(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    logs = [TopicPartition(settings.topics.commands, partition) for partition in range(settings.topics.partitions)]
    async with clients.consuming(settings.kafka) as consumer:
        consumer.assign(logs)
        await consumer.seek_to_beginning(*logs)
        yield consumer


async def _move(settings: Settings, model_url: str) -> None:
    model = await model_of(model_url)
    url = settings.database.url.replace("+asyncpg", "")
    async with asyncpg.create_pool(url, max_size=settings.database.pool_size) as pool, _consumer(settings) as consumer:
        probe = Probe(settings, model, pool, uuid4())
        async with asyncio.TaskGroup() as lanes:
            for partition in range(settings.topics.partitions):
                lanes.create_task(probe.lane(consumer, partition))


def main(model_url: str) -> None:
    """The probe's own process, with the worker's event loop and care of memory; until SIGTERM."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_move(load(), model_url))


if __name__ == "__main__":
    main(sys.argv[1])
