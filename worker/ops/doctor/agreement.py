"""Whether Kafka, the database and the settings fit together: partitions, lanes, horizons, clocks, retention."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from aiokafka import TopicPartition

from worker.broker.log import LogReader, open_reader
from worker.ops.doctor.finding import Finding, Findings
from worker.ops.retention import ids_remembered
from worker.settings import Settings
from worker.store.installation import Installation
from worker.store.lanes import Lane
from worker.wire.horizons import Horizon, horizon_key, read_horizon
from worker.wire.partitions import partition_of_key

LOOK_SECONDS_MAX: Final = 60.0
TICKS_MISSED_MAX: Final = 6
"""A lane whose horizon has stood still for so many ticks is nobody's, or stuck."""

_AHEAD_MAX: Final = timedelta(seconds=2)
_LISTED_MAX: Final = 10


LanesNow = Callable[[], Awaitable[Sequence[Lane]]]
"""The lanes as the database has them when it is called."""


async def examine(
    settings: Settings, declared: Installation, lanes: Sequence[Lane], now: datetime, lanes_now: LanesNow
) -> list[Finding]:
    """What takes both to see. `now` is the database's clock when `lanes` were read."""
    findings = Findings("lanes")
    _partitions(findings, settings, declared, lanes)
    for lane in lanes:
        if lane.stopped:
            advice = "docs/recovery.md, “A lane has stopped”; `billing-worker topics declare` shows what is seen"
            findings.failure(f"lane {lane.partition}", f"stopped: {lane.stopped}", advice)
    if lanes:
        look = _logs(findings, settings, declared, lanes, now, lanes_now)
        await findings.within(LOOK_SECONDS_MAX, "horizons", look, "may this client read the topics?")
    _retention(findings, settings)
    return findings.all


def _partitions(findings: Findings, settings: Settings, declared: Installation, lanes: Sequence[Lane]) -> None:
    wanted = settings.topics.commands_partitions or settings.topics.partitions
    if declared.partitions is None:
        findings.ok("partitions", "none declared: the first `billing-worker run` declares what the topic has")
        return
    if declared.commands_topic != settings.topics.commands:
        advice = "BILLING_TOPICS__COMMANDS names another topic than this database's, or BILLING_DATABASE__URL another"
        findings.failure("topic", f"the database is of {declared.commands_topic}", advice)
    elif declared.partitions != wanted:
        advice = "set BILLING_TOPICS__COMMANDS_PARTITIONS to what is declared, or do the cut-over (docs/recovery.md)"
        findings.failure("partitions", f"{declared.partitions} declared, {wanted} set", advice)
    else:
        findings.ok("partitions", f"{declared.partitions} declared")
    missing = sorted(set(range(declared.partitions)) - {lane.partition for lane in lanes})
    if missing:
        advice = "start `billing-worker run`: commands in these partitions wait"
        findings.warning("lanes", f"nobody ever took {_listed(missing)}", advice)


async def _logs(
    findings: Findings,
    settings: Settings,
    declared: Installation,
    lanes: Sequence[Lane],
    now: datetime,
    lanes_now: LanesNow,
) -> None:
    async with open_reader(settings.kafka) as reader:
        late, ahead, beyond = [], [], list[tuple[int, Horizon]]()
        for lane in lanes:
            if lane.stopped:
                continue
            horizon = await _horizon(reader, settings, lane)
            if horizon is None:
                if lane.published:
                    advice = "docs/recovery.md, “A lane has stopped”: a worker that takes the lane stops it"
                    findings.failure(f"lane {lane.partition}", "the topic of horizons has lost its record", advice)
                continue
            if horizon.installation != declared.id:
                advice = "two databases share these topics: one of them is configured wrongly"
                what = f"its horizon is of installation {horizon.installation}"
                findings.failure(f"lane {lane.partition}", what, advice)
            elif horizon.offset > lane.next_offset:
                beyond.append((lane.partition, horizon))
            if now - horizon.through > _standstill(settings):
                late.append(lane.partition)
            ahead += [lane.partition] if lane.latest_at > now + _AHEAD_MAX else []
    if beyond:
        _set_back(findings, beyond, await lanes_now())
    if late:
        advice = "is a worker running? /readyz and `billing-worker lanes` say what each lane waits for"
        findings.warning("horizons", f"standing still in lanes {_listed(late)}", advice)
    else:
        findings.ok("horizons", f"all {len(lanes)} move")
    if ahead:
        advice = "a broker's clock is ahead: let it follow a time server"
        findings.warning("broker's clock", f"lanes {_listed(ahead)} are past the database's", advice)


async def _horizon(reader: LogReader, settings: Settings, lane: Lane) -> Horizon | None:
    key = horizon_key(settings.topics.commands, lane.partition)
    log = TopicPartition(settings.topics.horizons, partition_of_key(key, settings.topics.partitions))
    record = await reader.newest_of_key(log, key, lane.horizon_offset)
    return read_horizon(record.value) if record is not None else None


def _set_back(findings: Findings, beyond: Sequence[tuple[int, Horizon]], lanes: Sequence[Lane]) -> None:
    """Horizons that were beyond what had been read of the database before: it may only have gone on since."""
    reached = {lane.partition: lane.next_offset for lane in lanes}
    for partition, horizon in beyond:
        offset = reached.get(partition, 0)
        if horizon.offset > offset:
            found = f"the topics tell of offset {horizon.offset}, the database of {offset}"
            advice = "the database was set back: a worker that takes the lane brings it up to date"
            findings.warning(f"lane {partition}", found, advice)


def _standstill(settings: Settings) -> timedelta:
    return timedelta(seconds=settings.lanes.tick_seconds * TICKS_MISSED_MAX)


def _retention(findings: Findings, settings: Settings) -> None:
    topics, journal = settings.topics, settings.retention.journal_days
    remembered = ids_remembered(settings).days
    if topics.command_results_retention_days < topics.commands_retention_days:
        advice = "raise BILLING_TOPICS__COMMAND_RESULTS_RETENTION_DAYS: an answer is gone before its command"
        findings.warning("retention", f"results {topics.command_results_retention_days} days", advice)
    if journal is not None and journal < topics.commands_retention_days:
        advice = "raise BILLING_RETENTION__JOURNAL_DAYS: lost topics come back only as far as the journal goes"
        findings.warning("retention", f"journal {journal} days", advice)
    findings.ok(
        "retention",
        f"commands {topics.commands_retention_days}, results {topics.command_results_retention_days}, dead letters "
        f"{topics.dead_letters_retention_days}, used ids {remembered} days; journal "
        f"{'for ever' if journal is None else f'{journal} days'}; events for ever",
    )


def _listed(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:_LISTED_MAX]))
    return f"{shown}, … ({len(numbers)})" if len(numbers) > _LISTED_MAX else shown
