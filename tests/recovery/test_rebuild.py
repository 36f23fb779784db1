"""A database that was lost is rebuilt from the topics, to the row, and work goes on from there."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.recovery.lanes import on_database
from tests.recovery.standing import KEYS, Rows, differences, rows_of
from tests.system.checker import check
from tests.system.deployment import Deployment, WorkerProcess, command
from tests.system.provision import own_database, own_deployment
from tests.system.settling import until
from tests.system.stacks import Addresses
from tests.system.traffic import traffic
from worker.folding.events import SequenceGapError
from worker.folding.stretch import EVENTS
from worker.recovery.ground import owner_of
from worker.recovery.progress import Bar
from worker.recovery.rebuild import reading as rebuild_reading
from worker.recovery.rebuild import run as rebuilding
from worker.recovery.rebuild.ground import NotEmptyError, NotRebuildableError
from worker.recovery.rebuild.loading import Tally
from worker.recovery.rebuild.plan import make_plan
from worker.recovery.rebuild.run import rebuild
from worker.settings import Settings
from worker.wire.outgoing import Topic

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ORGANIZATIONS = tuple(f"org-{number}" for number in range(5))
SECONDS_MAX = 240


class Interrupted(Exception):  # noqa: N818 - by the test
    pass


@pytest.fixture(scope="module")
async def lived(stack: Addresses, migrated: str) -> AsyncIterator[Deployment]:
    """A deployment whose worker has decided all sorts of commands, owes nobody a notice, and has left."""

    async def nothing_falls_due() -> bool:
        return not await deployment.rows("SELECT 1 FROM accounts WHERE due_at < now() + interval '10 minutes'")

    async with own_database(stack, migrated) as url, own_deployment(stack, url) as deployment:
        with deployment.worker(LANES__TICK_SECONDS="0.5", RULES__SUSPENSION_NOTICE_SECONDS="0"):
            await deployment.publish_many(traffic(3, ORGANIZATIONS, 900))
            await deployment.publish("org-1", b"not a command", None)
            await deployment.answers(SECONDS_MAX)
            await until(nothing_falls_due, "what falls due is done", SECONDS_MAX)
        yield deployment


@pytest.fixture
async def empty(stack: Addresses, lived: Deployment, migrated: str) -> AsyncIterator[Settings]:
    """The deployment's settings on a database that was just made anew."""
    async with own_database(stack, migrated) as url:
        yield on_database(lived, url)


@pytest.fixture(scope="module")
async def true(lived: Deployment) -> Rows:
    """What the database held that was lost."""
    return await rows_of(lived.settings.database.url)


async def carry_out(settings: Settings, bar: Bar | None = None, *, from_state: bool = False) -> Tally:
    async with owner_of(settings, "rebuild") as engine:
        plan = await make_plan(settings, engine, from_state=from_state)
        return await rebuild(settings, engine, plan, bar or Bar(plan.records), None)


async def test_a_lost_database_is_rebuilt_to_the_row(empty: Settings, true: Rows) -> None:
    tally = await carry_out(empty)

    assert differences(true, await rows_of(empty.database.url)) == []
    assert tally.counts["events"] > 300
    assert tally.counts["ids"] == len(true["inbox"])


async def test_what_is_kept_in_memory_may_be_next_to_nothing(
    empty: Settings, true: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "PIECE_RECORDS", 40)
    monkeypatch.setattr(rebuilding, "RECORDS_AT_ONCE", 25)
    monkeypatch.setattr(rebuilding, "SUBJECTS_MAX", 4)

    await carry_out(empty)

    assert differences(true, await rows_of(empty.database.url)) == []


async def test_a_piece_may_end_between_any_two_events_of_a_command(
    empty: Settings, true: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hold is placed by one event and the phase changes by the next: between them the account breaks a rule."""
    read = rebuild_reading.read_partition

    async def one_by_one(
        reader: Any, unit: rebuild_reading.Unit, first: int, **options: int
    ) -> AsyncIterator[tuple[Any, int]]:
        async for records, position in read(reader, unit, first, **options):
            if unit.topic is Topic.ACCOUNT_EVENTS:
                for record in records:
                    yield [record], record.offset + 1
            yield records if unit.topic is not Topic.ACCOUNT_EVENTS else (), position

    monkeypatch.setattr(rebuild_reading, "read_partition", one_by_one)
    monkeypatch.setattr(rebuilding, "PIECE_RECORDS", 1)
    monkeypatch.setattr(rebuilding, "SUBJECTS_MAX", 4)

    await carry_out(empty)

    assert differences(true, await rows_of(empty.database.url)) == []


class Breaking(Bar):
    """Breaks the run off when so much is done."""

    def __init__(self, after: int) -> None:
        super().__init__(None)
        self._after = after

    def advance(self, count: int = 1) -> None:
        super().advance(count)
        if self.count > self._after:
            raise Interrupted


async def test_a_run_that_breaks_off_anywhere_is_gone_on_with(
    empty: Settings, true: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "PIECE_RECORDS", 100)
    monkeypatch.setattr(rebuilding, "RECORDS_AT_ONCE", 60)
    both = 0
    for after in (30, 300, 300, 200):
        with pytest.raises(Interrupted):
            await carry_out(empty, Breaking(after))
        both += await has_begun(Deployment(empty, {}))
    assert both > 1
    with pytest.raises(NotRebuildableError, match="another run was begun"):
        await carry_out(empty, from_state=True)

    await carry_out(empty)

    assert differences(true, await rows_of(empty.database.url)) == []


async def test_what_was_published_again_is_left_out_by_a_run_that_goes_on(
    stack: Addresses, migrated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came first was read by the run that was broken off, what repeats it by the one that goes on."""
    monkeypatch.setattr(rebuilding, "PIECE_RECORDS", 10)
    monkeypatch.setattr(rebuilding, "RECORDS_AT_ONCE", 5)
    async with (
        own_database(stack, migrated) as url,
        own_database(stack, migrated) as empty,
        own_deployment(stack, url) as deployment,
    ):
        with deployment.worker():
            await deployment.publish_many(traffic(5, ORGANIZATIONS, 100))
            await deployment.answers(SECONDS_MAX)
        again = program(deployment, deployment.settings, "--again", "--yes", "--json", command="republish")
        status, out, _ = await told(again)
        assert (status, json.loads(out)["published"]["command-results"] > 0) == (0, True)
        settings = on_database(deployment, empty)
        runs = 0
        while await interrupted(settings, Breaking(40)):
            runs += 1

        assert runs > 5
        assert differences(await rows_of(url), await rows_of(empty)) == []


async def interrupted(settings: Settings, bar: Bar) -> bool:
    with suppress(Interrupted):
        await carry_out(settings, bar)
        return False
    return True


async def test_a_database_that_holds_anything_is_refused_and_left_alone(lived: Deployment, true: Rows) -> None:
    with pytest.raises(NotEmptyError):
        await carry_out(lived.settings)

    assert differences(true, await rows_of(lived.settings.database.url)) == []


async def test_an_event_that_is_missing_is_named_and_nothing_passes_for_whole(
    empty: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = rebuild_reading.read_partition
    left_out: list[object] = []

    async def leave_one_out(
        reader: Any, unit: rebuild_reading.Unit, first: int, **options: int
    ) -> AsyncIterator[object]:
        async for records, position in read(reader, unit, first, **options):
            kept = [record for record in records if not (_is_second(record) and not left_out)]
            left_out.extend(record for record in records if record not in kept)
            yield kept, position

    monkeypatch.setattr(rebuild_reading, "read_partition", leave_one_out)

    with pytest.raises(SequenceGapError, match=r"stands at event 1, and event 3 .* does not follow"):
        await carry_out(empty)


def _is_second(record: object) -> bool:
    return b'"sequence":2,' in (getattr(record, "value", None) or b"")


async def test_the_rules_are_there_again_when_it_is_done(empty: Settings, lived: Deployment) -> None:
    await carry_out(empty)

    catalogue = (
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint"
        " WHERE conname NOT LIKE 'journal_%' ORDER BY 1, 2"
    )
    indexes = (
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE 'journal_%' ORDER BY 1"
    )
    triggers = "SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1"
    rebuilt = Deployment(empty, {})
    for question in (catalogue, indexes, triggers):
        assert await rebuilt.rows(question) == await lived.rows(question)
    rewriting = text("UPDATE bindings SET until = now() + interval '1 year', ended = 'superseded'")
    async with rebuilt.engine() as engine, engine.connect() as connection:
        with pytest.raises(IntegrityError, match="is not rewritten"):
            await connection.execute(rewriting)


async def test_from_the_states_alone_everything_stands_as_it_does_and_its_past_is_gone(
    empty: Settings, lived: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "PIECE_RECORDS", 40)
    monkeypatch.setattr(rebuilding, "RECORDS_AT_ONCE", 25)

    tally = await carry_out(empty, from_state=True)

    supposed = {"accounts": {"created_at"}, "projects": {"registered_at", "at_risk"}, "holds": {"sequence"}}
    stands = [table for table in KEYS if table not in {"phases", "journal"}]
    true = await rows_of(lived.settings.database.url, tables=stands, without=supposed)
    found = await rows_of(empty.database.url, tables=stands, without=supposed)
    true["holds"] = [row for row in true["holds"] if ("released_at", None) in row]
    assert differences(true, found) == []
    assert tally.counts["events"] == 0
    assert tally.counts["subjects"] == len(true["accounts"]) + len(true["projects"])
    assert await Deployment(empty, {}).rows("SELECT 1 FROM phases") == []


def program(
    deployment: Deployment, settings: Settings, *arguments: str, command: str = "rebuild"
) -> "subprocess.Popen[bytes]":
    environment = os.environ | deployment.environment | {"BILLING_DATABASE__URL": settings.database.url}
    return subprocess.Popen(
        [sys.executable, "-m", "worker", command, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


async def told(process: "subprocess.Popen[bytes]") -> tuple[int, str, str]:
    out, err = await asyncio.to_thread(process.communicate)
    return process.returncode, out.decode(), err.decode()


async def test_the_command_only_tells_then_does_it_goes_on_when_killed_and_is_noted(
    empty: Settings, lived: Deployment, true: Rows
) -> None:
    rebuilt = Deployment(empty, {})
    status, out, _ = await told(program(lived, empty, "--json"))
    assert (status, json.loads(out)["done"], json.loads(out)["resumes"]) == (0, False, False)
    assert await rebuilt.rows("SELECT 1 FROM accounts") == []

    killed = program(lived, empty, "--yes", "--rate", "300")
    await until(lambda: has_begun(rebuilt), "of events and of the rest a partition is read", SECONDS_MAX)
    killed.send_signal(signal.SIGKILL)
    assert (await told(killed))[0] == -signal.SIGKILL
    assert json.loads((await told(program(lived, empty, "--json")))[1])["resumes"] is True

    status, out, err = await told(program(lived, empty, "--yes", "--json", "--as", "jo"))

    assert status == 0, err
    assert json.loads(out)["lanes"] == 3
    assert differences(true, await rows_of(empty.database.url)) == []
    acts = await rebuilt.rows("SELECT who, command, outcome->>'state' FROM audit ORDER BY id")
    assert [act[2] for act in acts] == ["begun", "begun", "done"]
    assert tuple(acts[-1])[:2] == ("jo", "rebuild")
    status, _, err = await told(program(lived, empty, "--yes"))
    assert (status, "not empty" in err) == (1, True)


async def has_begun(deployment: Deployment) -> bool:
    there = await deployment.rows("SELECT to_regclass('rebuilding') IS NOT NULL")
    if not there[0][0]:
        return False
    topics = {Topic(topic) for (topic,) in await deployment.rows("SELECT topic FROM rebuilding")}
    return bool(topics & EVENTS) and bool(topics - EVENTS)


async def test_no_worker_takes_a_database_for_whole_that_is_not(empty: Settings, lived: Deployment) -> None:
    with pytest.raises(Interrupted):
        await carry_out(empty, Breaking(300))

    with lived.worker(DATABASE__URL=empty.database.url) as worker:
        await until(lambda: _waits(worker), "the worker says what it waits for", SECONDS_MAX)
    assert await Deployment(empty, {}).rows("SELECT 1 FROM lanes") == []


async def _waits(worker: WorkerProcess) -> bool:
    return any("unfinished rebuild" in event["cause"] for event in worker.said("waiting"))


async def test_a_worker_goes_on_where_the_topics_end_and_knows_old_commands_again(
    empty: Settings, lived: Deployment
) -> None:
    """Last in this module: the deployment lives on in the database that was rebuilt."""
    await carry_out(empty)
    rebuilt = Deployment(empty, lived.environment | {"BILLING_DATABASE__URL": empty.database.url}, lived.sent)
    before = await rebuilt.messages("command_results")
    first = next(result for result in before if result["type"] == "billing.command.accepted.v1")
    commands = [record for record in await rebuilt.read("commands") if record.value is not None]
    again = next(record for record in commands if f'"{first["data"]["command"]}"'.encode() in record.value)
    organization = first["organization"]

    with rebuilt.worker():
        await rebuilt.publish(organization, again.value, command(organization, "project.register", "new", project="n"))
        answers = await rebuilt.answers(SECONDS_MAX)
        await check(rebuilt)

    known = {answer["id"] for answer in before}
    of_again = [answer for answer in answers if answer["data"]["command"] == first["data"]["command"]]
    assert [answer["data"] for answer in of_again if answer["id"] not in known] == [first["data"] | {"duplicate": True}]
