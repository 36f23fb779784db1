"""E1, E6, E8, E9: each command has one outcome, and what is published is what was committed, all of it."""

from collections import Counter, defaultdict
from typing import Any

from aiokafka import TopicPartition

from tests.simulation.seen import EVENTS, Seen
from tests.simulation.workers import Cluster
from worker.wire.cause import to_ms
from worker.wire.outgoing import Topic, restore
from worker.wire.partitions import partition_of

USES_NO_ID = {"KEY_MISMATCH", "WRONG_PARTITION", "COMMAND_ID_REUSED"}


def each_command_has_one(seen: Seen, lane: int) -> None:
    """E1: a result or a dead letter, one each, for every command below the watermark, and for nothing else.

    Without transactions the horizon follows its records, and may be missing where the lane stopped in between.
    """
    found: Counter[int] = Counter(record.place[0] for record in seen.of_lane(Topic.COMMAND_RESULTS, lane))
    for record in seen.of_lane(Topic.DEAD_LETTERS, lane):
        found[int(dict(record.content.headers)["billing-offset"] or b"")] += 1
    through = seen.published_through(lane)
    commands = seen.commands[lane].keys() - seen.ticks[lane]
    wanted = {offset for offset in commands if offset < through}
    lost, made_up = sorted(wanted - found.keys()), sorted(found.keys() - (wanted if seen.is_once else commands))
    assert not lost, f"E1: lane {lane}: no outcome of offsets {lost}"
    assert not made_up, f"E1: lane {lane}: outcomes of offsets {made_up}, where no command lies"
    twice = sorted(offset for offset, count in found.items() if count > 1)
    assert not twice, f"E1: lane {lane}: two outcomes of offsets {twice}"


def each_id_is_used_once(seen: Seen) -> None:
    """E1: of the commands with one id in an organization, at most one takes effect or is refused by a rule."""
    used: Counter[tuple[str, str]] = Counter()
    for record in seen.records[Topic.COMMAND_RESULTS]:
        data = record.said["data"]
        if record.said["type"] == "billing.command.evaluated.v1" or data["duplicate"]:
            continue
        codes = {reason["code"] for reason in data.get("reasons", ())}
        if not codes & USES_NO_ID:
            used[record.said["organization"], data["command"]] += 1
    twice = sorted(key for key, count in used.items() if count > 1)
    assert not twice, f"E1: ids used twice: {twice}"


def every_event_names_its_command(seen: Seen) -> None:
    """E6: whatever happened was caused by something in the log that was not rolled back."""
    for topic in EVENTS:
        for record in seen.records[topic]:
            cause, offset = record.said["causationid"], record.place[0]
            command = seen.commands[record.lane].get(offset)
            assert command is not None, f"E6: an event of offset {offset}, which nobody reads"
            assert f'"id":"{cause}"'.encode() in (command.value or b""), f"E6: {cause} is not at offset {offset}"


def every_event_is_of_its_lane(cluster: Cluster, seen: Seen) -> None:
    """E3: an organization's events come about in the one lane that it lives in: no order holds between lanes."""
    for topic in EVENTS:
        for record in seen.records[topic]:
            lane = partition_of(record.said["organization"], cluster.partitions)
            assert record.lane == lane, f"E3: lane {record.lane} wrote to {record.said['subject']} of lane {lane}"


def dead_letters_are_the_original(seen: Seen, lane: int) -> None:
    """E8: value, key and headers as they came."""
    for record in seen.of_lane(Topic.DEAD_LETTERS, lane):
        headers = record.content.headers
        original = seen.commands[lane][int(dict(headers)["billing-offset"] or b"")]
        came = (original.key, original.value, tuple(original.headers))
        kept = (record.content.key, record.content.value, tuple(headers[: len(original.headers)]))
        assert came == kept, f"E8: {came} lies in dead letters as {kept}"


def what_is_published_is_what_was_committed(cluster: Cluster, seen: Seen, lane: int) -> None:
    """E6: of each log, the journal's records, all of them, in its order, and nothing else."""
    wanted: dict[TopicPartition, list[Any]] = defaultdict(list)
    for row in cluster.postgres.tables.journal.get(lane, ()):
        out = restore(Topic(row.topic), row.key, row.value, row.headers, to_ms(row.at))
        content = (out.key, out.value, list(out.headers), out.timestamp_ms)
        wanted[cluster.names.log_of(out.topic, out.key)].append(content)
    found: dict[TopicPartition, list[Any]] = defaultdict(list)
    for topic, records in seen.records.items():
        for record in records:
            if record.lane == lane and topic is not Topic.HORIZONS:
                key, value, headers, timestamp = record.content
                found[record.log].append((key, value, list(headers), timestamp))
    for log in {**wanted, **found}:
        assert found[log] == wanted[log], (
            f"E6: lane {lane}: {log.topic}/{log.partition} holds {len(found[log])} records, committed were"
            f" {len(wanted[log])}: {_first_difference(found[log], wanted[log])}"
        )


def everything_is_published(cluster: Cluster, seen: Seen, lane: int) -> None:
    """E9: the watermark is the position, past every command."""
    through, row = seen.published_through(lane), cluster.postgres.tables.lanes[lane]
    assert row.next_offset == through, f"E9: lane {lane} stands at {row.next_offset}, published through {through}"
    unread = {offset for offset in seen.commands[lane] if offset >= through} - seen.ticks[lane]
    assert not unread, f"E9: lane {lane}: not decided: {sorted(unread)}"


def _first_difference(found: list[Any], wanted: list[Any]) -> str:
    for place, (one, other) in enumerate(zip(found, wanted, strict=False)):
        if one != other:
            return f"first at {place}: {one} for {other}"
    return f"the rest: {found[len(wanted) :] or wanted[len(found) :]}"
