"""`republish` on real servers: what one worker left behind, published again by the program in all its ways.

The tests share one deployment. Those that change its own topics stand at the end.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import ConsumerRecord

from tests.cli.conftest import Program
from tests.system.deployment import Deployment, command, ready_account
from tests.system.provision import PARTITIONS, own_database, own_deployment
from tests.system.settling import until
from tests.system.stacks import Addresses
from tests.system.traffic import traffic
from worker.broker import clients, topics
from worker.recovery.republish.targets import Standing
from worker.settings import Settings
from worker.wire.outgoing import Outgoing
from worker.wire.partitions import partition_of

ORGANIZATIONS = ("acme", "globex", "initech", "umbrella", "hooli", "wonka")
COMMANDS = 200
TIME_TO_DECIDE_SECONDS = 3.0
LOGS = ("account_events", "binding_events", "command_results", "dead_letters")
STATES = ("accounts", "payers")
OUTPUTS = (*LOGS, *STATES, "horizons")

Written = tuple[bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...], int]


@dataclass(frozen=True)
class Left:
    """What a worker published, topic by topic, before anybody published it again."""

    deployment: Deployment
    program: Program
    records: Mapping[str, list[ConsumerRecord]]


@pytest.fixture(scope="module")
async def left(stack: Addresses, migrated: str) -> AsyncIterator[Left]:
    async with own_database(stack, migrated) as url, own_deployment(stack, url) as deployment:
        with deployment.worker() as worker:
            await asyncio.to_thread(worker.wait_ready)
            await deployment.publish_many(traffic(7, ORGANIZATIONS, COMMANDS))
            await deployment.publish("acme", b"nonsense", b"\xff\x00", None, headers=[("odd", None), ("odd", b"")])
            await deployment.publish(None, b"no key")
            await deployment.answers()
        yield Left(deployment, Program(deployment.environment), {t: await deployment.read(t) for t in OUTPUTS})


@pytest.fixture
async def prefix(left: Left) -> AsyncIterator[str]:
    """Topics besides one's own, empty, with another number of partitions."""
    prefix = f"copy-{uuid4().hex[:8]}."
    plans = topics.plan(copied(left, prefix))
    admin = clients.admin(left.deployment.settings.kafka)
    await admin.start()
    await topics.apply(admin, await topics.compare(admin, plans))
    yield prefix
    await admin.delete_topics([plan.name for plan in plans])
    await admin.close()


def copied(left: Left, prefix: str) -> Settings:
    """The settings of whoever has the copies for his own."""
    settings = left.deployment.settings
    names = {topic: prefix + getattr(settings.topics, topic) for topic in ("commands", *OUTPUTS)}
    renamed = settings.topics.model_copy(update={**names, "partitions": PARTITIONS + 2})
    return settings.model_copy(update={"topics": renamed})


async def read_copy(left: Left, prefix: str, topic: str) -> list[ConsumerRecord]:
    return await Deployment(copied(left, prefix), {}).read(topic)


def written(record: ConsumerRecord) -> Written:
    """What a subscriber gets of a record, wherever it lies."""
    return record.key, record.value, record.headers, record.timestamp


def by_key(records: list[ConsumerRecord]) -> dict[bytes | None, list[Written]]:
    """The records of each key, in order. Letters of no key or of somebody's, in any."""
    found = defaultdict(list)
    for record in records:
        found[record.key].append(written(record))
    return dict(found)


def newest(records: list[ConsumerRecord]) -> dict[bytes | None, Written]:
    return {key: of_key[-1] for key, of_key in by_key(records).items()}


def organization_of(record: ConsumerRecord) -> str | None:
    return None if record.key is None else record.key.decode().partition("/")[0]


async def ends(left: Left) -> dict[str, int]:
    return {topic: len(await left.deployment.read(topic, isolation="read_uncommitted")) for topic in OUTPUTS}


async def acts(deployment: Deployment) -> list[Any]:
    return await deployment.rows("SELECT who, arguments, outcome FROM audit WHERE command = 'republish' ORDER BY id")


def line(result: Any) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


async def test_everything_goes_into_other_topics_byte_for_byte_in_the_order_of_each_subject(
    left: Left, prefix: str
) -> None:
    done = line(await left.program("republish", "--prefix", prefix, "--yes", "--as", "ada", "--json"))

    for topic in LOGS:
        assert by_key(await read_copy(left, prefix, topic)) == by_key(list(left.records[topic])), topic
    for topic in (*STATES, "horizons"):
        copied = await read_copy(left, prefix, topic)
        assert {record.key: written(record) for record in copied} == newest(list(left.records[topic])), topic
        assert len(copied) == len(newest(list(left.records[topic]))), topic
    assert done["published"]["command-results"] == len(left.records["command_results"])
    assert done["skipped"] == {"older": 0, "alreadyThere": 0}
    begun, ended = await acts(left.deployment)
    assert (begun.who, begun.arguments["topics"], begun.outcome) == (
        "ada",
        ended.arguments["topics"],
        {"state": "begun"},
    )
    assert ended.outcome["state"] == "done"
    assert ended.outcome["published"] == done["published"]


@pytest.mark.parametrize(
    "selection",
    [
        (),
        ("--again",),
        ("--topics", "account-events,payers"),
        ("--lane", "1", "--from", "3", "--to", "50"),
        ("--from", "2026-01-01T00:00:00Z", "--to", "2090-01-01T00:00:00Z"),
        ("--organization", "acme"),
        ("--subject", "accounts/acme/amber"),
        ("--rate", "5"),
    ],
    ids=" ".join,
)
async def test_without_yes_nothing_changes(left: Left, selection: tuple[str, ...]) -> None:
    before, noted = await ends(left), await acts(left.deployment)

    result = await left.program("republish", *selection, "--json")

    plan = json.loads(result.stdout)
    assert plan["dryRun"] is True
    assert any(topic["records"] for topic in plan["topics"].values())
    assert result.exit_code == (1 if plan["refused"] else 0)
    assert bool(plan["refused"]) == (selection != ("--again",))
    assert await ends(left) == before
    assert await acts(left.deployment) == noted


async def test_the_plan_counts_what_is_then_published(left: Left, prefix: str) -> None:
    plan = line(await left.program("republish", "--prefix", prefix, "--json"))
    done = line(await left.program("republish", "--prefix", prefix, "--json", "--yes"))

    planned = {topic: each["records"] for topic, each in plan["topics"].items() if each["records"]}
    assert planned == {topic: count for topic, count in done["published"].items() if topic != "horizons"}
    assert sum(each["bytes"] for each in plan["topics"].values()) < done["bytes"]


async def test_one_organization_goes_alone(left: Left, prefix: str) -> None:
    line(await left.program("republish", "--organization", "globex", "--prefix", prefix, "--yes", "--json"))

    for topic in LOGS:
        own = [record for record in left.records[topic] if organization_of(record) == "globex"]
        assert by_key(await read_copy(left, prefix, topic)) == by_key(own), topic
    for topic in STATES:
        own = [record for record in left.records[topic] if organization_of(record) == "globex"]
        assert newest(await read_copy(left, prefix, topic)) == newest(own), topic
    assert await read_copy(left, prefix, "horizons") == []


async def test_one_subject_goes_alone_into_a_topic_of_any_name(left: Left, prefix: str) -> None:
    name = prefix + left.deployment.settings.topics.account_events
    arguments = ("--subject", "accounts/acme/amber", "--topics", "account-events", "--to-topic", name)

    line(await left.program("republish", *arguments, "--yes", "--json"))

    own = [record for record in left.records["account_events"] if record.key == b"acme/amber"]
    assert own
    assert by_key(await read_copy(left, prefix, "account_events")) == by_key(own)


async def test_a_range_of_instants_or_offsets_takes_what_lies_in_it(left: Left, prefix: str) -> None:
    lane = partition_of("acme", PARTITIONS)
    results = [json.loads(record.value) for record in left.records["command_results"]]
    own = sorted((each for each in results if each["commandposition"].split("/")[1] == str(lane)), key=offset_of)
    first, last = own[len(own) // 3], own[2 * len(own) // 3]
    by_offset = ("--from", str(offset_of(first)), "--to", str(offset_of(last)))
    by_instant = ("--from", first["time"], "--to", last["time"])

    for edges in (by_offset, by_instant):
        arguments = ("--lane", str(lane), *edges, "--topics", "command-results", "--prefix", prefix, "--again")
        line(await left.program("republish", *arguments, "--yes", "--json"))

    wanted = [each["id"] for each in own if offset_of(first) <= offset_of(each) < offset_of(last)]
    copied = [json.loads(record.value) for record in await read_copy(left, prefix, "command_results")]
    assert wanted
    for organization in {each["organization"] for each in own}:
        once = [each["id"] for each in own if each["id"] in wanted and each["organization"] == organization]
        assert [each["id"] for each in copied if each["organization"] == organization] == once * 2


async def test_of_the_keys_of_a_range_the_latest_state_goes_out_not_that_of_the_range(left: Left, prefix: str) -> None:
    lane = partition_of("acme", PARTITIONS)
    arguments = ("--lane", str(lane), "--from", "0", "--to", "60", "--topics", "accounts,payers", "--prefix", prefix)

    line(await left.program("republish", *arguments, "--yes", "--json"))

    for topic in STATES:
        copied, whole = newest(await read_copy(left, prefix, topic)), newest(list(left.records[topic]))
        assert copied
        assert copied.items() <= whole.items()


@pytest.mark.slow
async def test_a_run_that_was_killed_goes_on_where_it_was_and_repeats_nothing(left: Left, prefix: str) -> None:
    with running(left, "--prefix", prefix, "--yes", "--rate", "150") as slow:
        await something_in(left, prefix, "command_results", 50)
        slow.send_signal(signal.SIGKILL)
        await asyncio.to_thread(slow.wait)
    partly = len(await read_copy(left, prefix, "command_results"))

    done = line(await left.program("republish", "--prefix", prefix, "--yes", "--json"))

    assert partly < len(left.records["command_results"])
    assert done["resumedFrom"]
    assert done["published"]["command-results"] == len(left.records["command_results"]) - partly
    for topic in LOGS:
        assert by_key(await read_copy(left, prefix, topic)) == by_key(list(left.records[topic])), topic
    for topic in (*STATES, "horizons"):
        assert newest(await read_copy(left, prefix, topic)) == newest(list(left.records[topic])), topic


async def test_a_second_run_ends_the_first(left: Left, prefix: str) -> None:
    with running(left, "--topics", "command-results", "--prefix", prefix, "--yes", "--rate", "20") as slow:
        await something_in(left, prefix, "command_results", 1)
        line(await left.program("republish", "--topics", "accounts", "--prefix", prefix, "--yes", "--json"))
        _, said = await asyncio.to_thread(slow.communicate)

    assert slow.returncode == 1
    assert "Another republish" in said.decode()


@contextmanager
def running(left: Left, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """The program as a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "worker", "republish", *arguments],
        env=os.environ | left.deployment.environment,
        stderr=subprocess.PIPE,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


async def something_in(left: Left, prefix: str, topic: str, count: int) -> None:
    async def is_there() -> bool:
        return len(await read_copy(left, prefix, topic)) >= count

    await until(is_there, f"{count} records are in the copy of {topic}")


async def test_topics_that_hold_something_are_refused_without_again(left: Left) -> None:
    before = await ends(left)

    result = await left.program("republish", "--yes")

    assert result.exit_code == 1
    assert "Not empty" in result.stderr
    assert "--again" in result.stderr
    assert await ends(left) == before


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("--topics", "gossip"), 2, "gossip"),
        (("--from", "3"), 2, "--lane"),
        (("--from", "yesterday"), 2, "--from"),
        (("--subject", "somebody"), 2, "--subject"),
        (("--to-topic", "x"), 2, "--topics"),
        (("--prefix", "x", "--to-topic", "x", "--topics", "accounts"), 2, "two things"),
        (("--prefix", "nowhere."), 1, "There is no topic nowhere."),
        (("--lane", "77"), 1, "There is no lane 77"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
async def test_what_cannot_be_meant_is_refused(left: Left, arguments: tuple[str, ...], code: int, why: str) -> None:
    result = await left.program("republish", *arguments)

    assert result.exit_code == code
    assert why in result.stderr


async def test_records_never_go_into_a_topic_of_ones_own_that_carries_something_else(left: Left) -> None:
    before = len(await left.deployment.read("commands"))

    for topic in (left.deployment.settings.topics.commands, left.deployment.settings.topics.payers):
        result = await left.program("republish", "--topics", "account-events", "--to-topic", topic, "--yes", "--again")
        assert result.exit_code == 1
        assert "do not go there" in result.stderr

    assert len(await left.deployment.read("commands")) == before


async def test_states_that_are_there_are_not_written_again(left: Left) -> None:
    done = line(await left.program("republish", "--topics", "accounts,payers", "--yes", "--json"))

    assert done["published"] == {}
    assert done["skipped"]["alreadyThere"] == sum(len(newest(list(left.records[topic]))) for topic in STATES)


async def test_a_live_topic_of_states_never_goes_back(left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody wrote nonsense over the states. While they are mended, one of the accounts changes.

    It changes between the look at what is there and the writing of what is missing, where a worker has time to decide
    and to publish it.
    """
    deployment, loop = left.deployment, asyncio.get_running_loop()
    look, looked = Standing.why_not, list[bytes | None]()

    def why_not(standing: Standing, record: Outgoing) -> str | None:
        why = look(standing, record)
        if record.key == b"acme/changing" and not looked:
            looked.append(record.key)
            update = command("acme", "account.update", "changed", account="changing", displayName="newer")
            asyncio.run_coroutine_threadsafe(deployment.publish("acme", update), loop).result()
            time.sleep(TIME_TO_DECIDE_SECONDS)
        return why

    monkeypatch.setattr(Standing, "why_not", why_not)
    with deployment.worker() as worker:
        await asyncio.to_thread(worker.wait_ready)
        await deployment.publish("acme", ready_account("acme", "changing"))
        await deployment.answers()
        await garble(deployment)
        mended = line(await left.program("republish", "--topics", "accounts,payers", "--yes", "--json"))
        await deployment.answers()

    assert looked
    assert mended["records"] > 1
    sequences: dict[bytes, list[int]] = defaultdict(list)
    for record in await deployment.read("accounts"):
        if record.value != b"nonsense":
            sequences[record.key].append(json.loads(record.value)["sequence"])
    assert all(seen == sorted(seen) for seen in sequences.values()), sequences
    standing = {key: of_key[1] for key, of_key in newest(await deployment.read("accounts")).items()}
    assert all(value != b"nonsense" for value in standing.values())
    for organization, account, sequence in await deployment.rows(
        "SELECT organization, account, sequence FROM accounts"
    ):
        assert json.loads(standing[f"{organization}/{account}".encode()] or b"")["sequence"] == sequence


async def garble(deployment: Deployment) -> None:
    states = newest(await deployment.read("accounts"))
    async with clients.producer(deployment.settings.kafka) as producer:
        for key in states:
            await producer.send_and_wait(deployment.settings.topics.accounts, b"nonsense", key=key)


def newest_horizons(records: Sequence[ConsumerRecord]) -> dict[bytes, dict[str, Any]]:
    """Without epochs: a worker that took a lane and published nothing has raised it in the lane's row alone."""
    told = {record.key: json.loads(record.value)["data"] for record in records}
    return {key: {name: value for name, value in data.items() if name != "epoch"} for key, data in told.items()}


async def test_after_the_loss_of_all_topics_a_new_subscriber_ends_where_an_old_one_was(left: Left) -> None:
    deployment = left.deployment
    before = {topic: await deployment.read(topic) for topic in OUTPUTS}
    await make_anew(deployment)
    assert await ends(left) == dict.fromkeys(OUTPUTS, 0)

    line(await left.program("republish", "--yes", "--json"))

    after = {topic: await deployment.read(topic) for topic in OUTPUTS}
    for topic in LOGS:
        assert by_key(after[topic]) == by_key(before[topic]), topic
        assert [record.partition for record in sorted(after[topic], key=where_from)] == [
            record.partition for record in sorted(before[topic], key=where_from)
        ]
    for topic in STATES:
        assert newest(after[topic]) == newest(before[topic]), topic
    lanes = await deployment.rows("SELECT partition, next_offset FROM lanes ORDER BY partition")
    horizons = {topic: newest_horizons(records["horizons"]) for topic, records in (("new", after), ("old", before))}
    assert horizons["new"] == horizons["old"]
    told = {record.key: json.loads(record.value)["data"]["offset"] for record in after["horizons"]}
    commands = deployment.settings.topics.commands
    assert told == {f"{commands}/{lane}".encode(): position for lane, position in lanes}


async def make_anew(deployment: Deployment) -> None:
    """All topics are gone, and there are empty ones of the same names."""
    settings = deployment.settings
    plans = topics.plan(settings)
    names = [plan.name for plan in plans]
    admin = clients.admin(settings.kafka)
    await admin.start()
    try:
        await admin.delete_topics(names)

        async def are_gone() -> bool:
            return not set(names) & set(await topics.present_partitions(admin))

        await until(are_gone, "the topics are gone")
        await topics.apply(admin, await topics.compare(admin, plans))
    finally:
        await admin.close()


def offset_of(result: Mapping[str, Any]) -> int:
    return int(result["commandposition"].split("/")[2])


def where_from(record: ConsumerRecord) -> tuple[bytes, bytes, int]:
    return record.key or b"", record.value or b"", record.timestamp
