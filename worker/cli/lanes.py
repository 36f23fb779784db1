"""`lanes`: how far each partition of commands has come."""

from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.broker.clients import consumer
from worker.cli.asking import written_through
from worker.cli.console import print_json, print_table, say
from worker.cli.reach import finish, reaching_database
from worker.settings import Settings, load
from worker.store import installation, queries
from worker.store.engine import create_engine
from worker.store.lanes import Lane


def show_lanes(*, as_json: bool) -> None:
    """Answer on stdout."""
    rows = finish(_ask(load()))
    if as_json:
        for row in rows:
            print_json(row)
    elif rows:
        print_table(list(rows[0]), [tuple(row.values()) for row in rows])
    else:
        say("No worker has taken a lane yet: `billing-worker run` does.")


async def _ask(settings: Settings) -> list[dict[str, Any]]:
    url = settings.database.url
    with reaching_database(url):
        engine = create_engine(url, application_name="billing-worker questions", connections_max=1)
        try:
            async with queries.reading(engine) as connection:
                known = await queries.lanes(connection)
                topic = await _topic(connection, settings)
        finally:
            await engine.dispose()
    ends = await _log_ends(settings, topic, [lane.partition for lane in known])
    return [_row(lane, ends.get(lane.partition)) for lane in known]


async def _topic(connection: AsyncConnection, settings: Settings) -> str:
    return (await installation.read(connection)).commands_topic or settings.topics.commands


async def _log_ends(settings: Settings, topic: str, partitions: list[int]) -> dict[int, int]:
    """Where the logs end; nothing if Kafka does not say."""
    if not partitions:
        return {}
    client = consumer(settings.kafka, isolation="read_uncommitted")
    try:
        await client.start()
        ends = await client.end_offsets([TopicPartition(topic, partition) for partition in partitions])
    except (KafkaError, OSError, TimeoutError, ValueError):
        say(f"Kafka does not answer at {settings.kafka.bootstrap_servers}: lag is unknown.", style="yellow")
        return {}
    else:
        return {log.partition: end for log, end in ends.items()}
    finally:
        await client.stop()


def _row(lane: Lane, log_end: int | None) -> dict[str, Any]:
    return {
        "lane": lane.partition,
        "position": lane.next_offset,
        "logEnd": log_end,
        "lag": None if log_end is None else log_end - lane.next_offset,
        "published": lane.published,
        "through": written_through(lane.latest_at),
        "epoch": lane.epoch,
        "stopped": lane.stopped,
    }
