"""`verify` on what a worker left behind: every claim holds there, and fails where the database is broken on purpose.

The tests share one deployment, and break its database within transactions that are rolled back.
"""
# ruff: noqa: S608  the statements are of this module's own making

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.admin import RecordsToDelete
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.cli.conftest import Program
from tests.recovery.breaks import ACCOUNT_DIFFERS, ACME, BREAKS
from tests.recovery.verified import digest, do, findings, history, look, refuted, unguarded
from tests.system.deployment import Deployment, command
from tests.system.provision import own_database, own_deployment, say
from tests.system.settling import until
from tests.system.stacks import Addresses
from tests.system.traffic import traffic
from worker.broker import clients
from worker.recovery.progress import Bar
from worker.recovery.verify.digest import digests
from worker.recovery.verify.finding import Finding
from worker.recovery.verify.ground import Look, create_reading_engine, standing
from worker.recovery.verify.proof import checks
from worker.recovery.verify.run import Asked, verify
from worker.store.roles import grant_runtime


@dataclass(frozen=True)
class Left:
    """What a worker left behind. `halfway` is an instant in between, and what was so then."""

    deployment: Deployment
    program: Program
    engine: AsyncEngine
    halfway: datetime
    digest_then: str


async def _least_through(deployment: Deployment) -> datetime:
    ((through,),) = await deployment.rows("SELECT min(latest_at) FROM lanes")
    assert isinstance(through, datetime)
    return through


@pytest.fixture(scope="module")
async def left(stack: Addresses, migrated: str) -> AsyncIterator[Left]:
    settings = {"RULES__TOMBSTONE_AFTER_SECONDS": "0", "RULES__SUSPENSION_NOTICE_SECONDS": "0"}
    async with (
        own_database(stack, migrated) as url,
        own_deployment(stack, url, **settings) as deployment,
        deployment.engine() as engine,
    ):
        with deployment.worker(LANES__TICK_SECONDS="0.5") as worker:
            await asyncio.to_thread(worker.wait_ready)
            await deployment.publish("acme", *history("acme"), b"{")
            await deployment.answers()
            ((now,),) = await deployment.rows("SELECT clock_timestamp()")
            assert isinstance(now, datetime)

            async def is_past() -> bool:
                return await _least_through(deployment) > now

            await until(is_past, "every lane has come past the first part")
            async with unguarded(engine) as connection:
                then = str(await digest(connection, at=now))
            await deployment.publish("acme", command("acme", "project.bind", "later", project="web", account="spare"))
            await deployment.publish_many(traffic(7, ("umbrella", "initech"), 120))
            await deployment.answers()

            async def is_settled() -> bool:
                due = (
                    "SELECT 1 FROM accounts WHERE due_at < now() UNION ALL SELECT 1 FROM projects WHERE due_at < now()"
                )
                behind = 'SELECT 1 FROM lanes, journal WHERE lane = partition AND "offset" >= published'
                return not await deployment.rows(due) and not await deployment.rows(behind)

            await until(is_settled, "everything that was due is done, and published")
        yield Left(deployment, Program(deployment.environment), engine, now, then)


@pytest.fixture
async def connection(left: Left) -> AsyncIterator[AsyncConnection]:
    async with unguarded(left.engine) as connection:
        yield connection


async def test_every_claim_holds_of_what_a_worker_left_and_each_looked_at_something(
    connection: AsyncConnection,
) -> None:
    found = await findings(connection)

    assert {name: finding.counterexamples for name, finding in found.items() if not finding.holds} == {}
    assert [name for name, finding in found.items() if finding.looked_at == 0] == []
    assert list(found) == [check.name for check in checks()]


@pytest.mark.parametrize("what", BREAKS)
async def test_what_was_broken_on_purpose_is_refuted_with_a_counterexample(
    connection: AsyncConnection, what: str
) -> None:
    statements, expected = BREAKS[what]
    changed = await do(connection, statements)

    found = await refuted(connection)

    assert changed or "trigger" in what
    assert set(found) == expected
    assert all(0 < len(finding.counterexamples) <= 10 for finding in found.values())


def test_every_claim_was_seen_to_fail() -> None:
    failed = set().union(*(expected for _, expected in BREAKS.values()))

    assert {check.name for check in checks()} - failed == set()


async def test_a_counterexample_says_where_and_what(connection: AsyncConnection) -> None:
    await do(connection, BREAKS["an account pays for one project more than it does"][0])

    (finding,) = (await refuted(connection)).values()

    assert finding.violations == 1
    assert finding.counterexamples == [{"organization": "acme", "account": "main", "kept": 2, "counted": 1}]


async def test_all_violations_are_counted_and_so_many_shown(connection: AsyncConnection) -> None:
    everybody = "UPDATE accounts SET active_bindings = active_bindings + 1"
    changed = await do(connection, [f"{everybody} WHERE deleted_at IS NULL AND phase <> 'Archived'"])

    found = await refuted(connection, counterexamples_max=2)

    counted = found["active_bindings_are_counted"]
    assert (counted.violations, len(counted.counterexamples)) == (changed, 2)


async def test_one_organization_is_looked_at_alone(connection: AsyncConnection) -> None:
    await do(
        connection, [f"UPDATE accounts SET display_name = 'X', active_bindings = 7 WHERE {ACME} AND account = 'main'"]
    )

    assert await refuted(connection, organization="umbrella") == {}
    assert set(await refuted(connection, organization="acme")) == {"active_bindings_are_counted", *ACCOUNT_DIFFERS}
    (alone,) = [each async for each in digests(await look(connection, organization="umbrella"))]
    assert str(alone) == {e.organization: str(e) async for e in digests(await look(connection))}["umbrella"]


async def test_superseded_states_and_old_results_may_be_missing_as_after_a_rebuild(
    connection: AsyncConnection,
) -> None:
    removed = await do(
        connection,
        [
            (
                "DELETE FROM journal AS j WHERE topic IN ('accounts', 'payers') AND EXISTS"
                " (SELECT FROM journal AS k WHERE k.topic = j.topic AND k.key = j.key AND k.at > j.at)"
            ),
            (
                "CREATE TEMP TABLE half ON COMMIT DROP AS"
                " SELECT lane, percentile_disc(0.5) WITHIN GROUP (ORDER BY at) AS at FROM inbox GROUP BY lane"
            ),
            "DELETE FROM inbox AS i USING half WHERE i.lane = half.lane AND i.at < half.at",
            (
                "DELETE FROM journal AS j USING half WHERE j.lane = half.lane AND j.at < half.at"
                " AND topic = 'command-results'"
            ),
        ],
    )

    found = await findings(connection)

    assert removed > 100
    assert [name for name, finding in found.items() if not finding.holds] == []
    assert "superseded states are not kept" in found["the_journal_has_no_holes"].notes[-1]


async def test_a_journal_that_lost_its_beginning_is_proven_from_there_on(connection: AsyncConnection) -> None:
    middles = await connection.exec_driver_sql(
        'SELECT lane, percentile_disc(0.5) WITHIN GROUP (ORDER BY "offset") FROM journal'
        " WHERE key = 'acme' GROUP BY lane"
    )
    lane, middle = tuple(middles.one())
    await do(
        connection,
        [
            f'DELETE FROM journal WHERE lane = {lane} AND "offset" < {middle}',
            f"ALTER TABLE journal_{lane} DETACH PARTITION journal_{lane}_0",
            f"ALTER TABLE journal_{lane} ATTACH PARTITION journal_{lane}_0 FOR VALUES FROM ({middle}) TO (500000)",
        ],
    )

    found = await findings(connection)

    assert [name for name, finding in found.items() if not finding.holds] == []
    assert found["records_say_where_they_belong"].notes == [
        f"lane {lane}: from offset {middle} on; what lay before was dropped"
    ]
    await do(connection, [f"DELETE FROM journal WHERE lane = {lane} AND topic = 'payers' AND key = 'acme/web'"])
    assert "the_latest_state_is_the_project" not in await refuted(connection)
    await do(connection, [f"DELETE FROM journal WHERE lane = {lane} AND topic = 'binding-events' AND key = 'acme/web'"])
    assert "the_journal_has_no_holes" in await refuted(connection)


async def test_a_digest_is_the_same_in_another_physical_order(connection: AsyncConnection) -> None:
    before = [(each.organization, str(each)) async for each in digests(await look(connection))]
    places = "SELECT array_agg(project ORDER BY ctid) FROM bindings"
    ((order,),) = (await connection.exec_driver_sql(places)).all()
    for table in ("accounts", "holds", "phases", "projects", "bindings"):
        columns = ", ".join(await _columns(connection, table))
        await do(
            connection,
            [
                f"CREATE TEMP TABLE copy ON COMMIT DROP AS SELECT {columns} FROM {table} ORDER BY ctid DESC",
                f"DELETE FROM {table}",
                f"INSERT INTO {table} ({columns}) SELECT * FROM copy",
                "DROP TABLE copy",
            ],
        )

    ((other,),) = (await connection.exec_driver_sql(places)).all()
    assert other != order
    assert [(each.organization, str(each)) async for each in digests(await look(connection))] == before
    assert await refuted(connection) == {}


async def _columns(connection: AsyncConnection, table: str) -> list[str]:
    listed = await connection.exec_driver_sql(
        "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped"
        " AND attgenerated = ''",
        (table,),
    )
    return [row[0] for row in listed]


OTHER = {
    "text": "coalesce({0}, '') || 'x'",
    "integer": "coalesce({0}, 0) + 1",
    "bigint": "coalesce({0}, 0) + 1",
    "boolean": "NOT {0}",
    "uuid": "gen_random_uuid()",
    "timestamp with time zone": "CASE WHEN {0} < 'infinity' THEN {0} + interval '1 us' ELSE now() END",
    "json": """CASE json_typeof({0}) WHEN 'object' THEN '{{"x": "y"}}' ELSE '[{{"reason": "x"}}]' END :: json""",
}
LEFT_OUT = {
    "accounts": {"lane", "holds_active", "notices_kind", "notices_after", "due_at"},
    "holds": {"derived"},
    "phases": set(),
    "projects": {"lane", "tombstoned", "due_at"},
    "bindings": {"prev_until", "prev_ended"},
}


@pytest.mark.parametrize("table", LEFT_OUT)
async def test_a_digest_tells_of_every_column_that_the_contract_shows_and_of_no_other(
    connection: AsyncConnection, table: str
) -> None:
    await _drop_rules(connection, table)
    before = str(await digest(connection))
    kinds = await connection.exec_driver_sql(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = $1"
        " AND is_generated = 'NEVER'",
        (table,),
    )
    untold = set()
    for column, kind in map(tuple, kinds):
        undo = await connection.begin_nested()
        one = f"(SELECT ctid FROM {table} ORDER BY organization, ctid LIMIT 1)"
        assert (
            await do(connection, [f"UPDATE {table} SET {column} = {OTHER[kind].format(column)} WHERE ctid = {one}"])
            == 1
        )
        if str(await digest(connection)) == before:
            untold.add(column)
        await undo.rollback()

    assert untold == LEFT_OUT[table]


async def _drop_rules(connection: AsyncConnection, table: str) -> None:
    """Take out whatever refuses values that nobody wrote."""
    names = await connection.exec_driver_sql(
        "SELECT conname FROM pg_constraint WHERE conrelid = $1::text::regclass AND contype IN ('c', 'f', 'p', 'u')",
        (table,),
    )
    await do(connection, [f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name} CASCADE" for (name,) in names.all()])


async def test_a_digest_changes_with_a_row_more_or_less(connection: AsyncConnection) -> None:
    before = {each.organization: str(each) async for each in digests(await look(connection))}

    await do(connection, [f"DELETE FROM phases WHERE {ACME} AND account = 'idle'"])

    after = {each.organization: str(each) async for each in digests(await look(connection))}
    assert {name for name in before if before[name] != after[name]} == {"acme"}


async def test_a_digest_of_the_past_stays_what_it_was(left: Left, connection: AsyncConnection) -> None:
    assert str(await digest(connection, at=left.halfway)) == left.digest_then
    assert str(await digest(connection, at=datetime.now(UTC))) != left.digest_then
    assert (await digest(connection, at=left.halfway - timedelta(days=1))).rows == dict.fromkeys(
        ("account", "hold", "phase", "project", "binding"), 0
    )


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE bindings SET account = 'spare' WHERE organization = 'acme' AND project = 'shop'",
        "UPDATE bindings SET until = until - interval '1 us' WHERE organization = 'acme' AND ended = 'released'",
        "UPDATE phases SET reason = 'x' WHERE organization = 'acme' AND account = 'late' AND sequence = 3",
        "UPDATE holds SET released_at = placed_at WHERE organization = 'acme' AND account = 'held'",
        "UPDATE projects SET deleted_at = registered_at WHERE organization = 'acme' AND project = 'old'",
        "DELETE FROM accounts WHERE organization = 'acme' AND account = 'idle'",
    ],
)
async def test_a_digest_of_the_past_changes_with_the_past(left: Left, connection: AsyncConnection, change: str) -> None:
    for table in ("accounts", "bindings", "phases", "projects"):
        await _drop_rules(connection, table)

    assert await do(connection, [change]) > 0

    assert str(await digest(connection, at=left.halfway)) != left.digest_then


async def test_the_program_proves_it_all_and_tells_the_digest_in_a_line(left: Left) -> None:
    result = await left.program("verify", "--topics", "--json")

    *lines, last = [json.loads(line) for line in result.stdout.splitlines()]
    claims = [line for line in lines if "check" in line]
    assert (result.exit_code, [claim for claim in claims if not claim["holds"]]) == (0, [])
    assert [claim["check"] for claim in claims if claim["lookedAt"] == 0] == []
    assert len(claims) == last["checks"] > len(list(checks()))
    assert [line["organization"] for line in lines if "organization" in line] == ["acme", "initech", "umbrella"]
    async with unguarded(left.engine) as connection:
        assert last["digest"] == str(await digest(connection))
    assert (last["holds"], last["refuted"], last["at"], last["final"]) == (True, 0, None, None)


async def test_the_program_tells_a_digest_of_the_past_and_whether_it_is_final(left: Left) -> None:
    then = left.halfway.isoformat()

    result = await left.program("verify", "--digest-only", "--at", then, "--json")
    ahead = await left.program("verify", "--digest-only", "--at", "2090-01-01T00:00:00Z", "--json")

    last, to_come = json.loads(result.stdout.splitlines()[-1]), json.loads(ahead.stdout.splitlines()[-1])
    assert (result.exit_code, last["digest"], last["final"], last["checks"]) == (0, left.digest_then, True, 0)
    assert to_come["final"] is False


async def test_the_program_ends_with_1_and_shows_what_contradicts(left: Left, stack: Addresses) -> None:
    url = left.deployment.settings.database.url
    ((installation,),) = await left.deployment.rows("SELECT id::text FROM installation")
    await left.engine.dispose()
    async with own_database(stack, make_url(url).database, installation) as copy:
        await say(copy, "UPDATE accounts SET active_bindings = 7 WHERE organization = 'acme' AND account = 'main'")

        result = await left.program("verify", "--organization", "acme", DATABASE__URL=copy)
        other = await left.program("verify", "--organization", "umbrella", DATABASE__URL=copy)

    assert result.exit_code == 1
    assert "REFUTED  active_bindings_are_counted  7 accounts, 1 contradict" in result.stdout
    assert "- organization acme, account main, kept 7, counted 1" in result.stdout
    assert (other.exit_code, other.stdout.count("REFUTED")) == (0, 0)


async def test_a_throttled_look_takes_its_time(left: Left) -> None:
    began = time.monotonic()
    rows = sum((await left.deployment.rows("SELECT count(*) FROM bindings"))[0])

    result = await left.program("verify", "--digest-only", "--rate", str(rows))

    assert result.exit_code == 0
    assert time.monotonic() - began > 1


@pytest.mark.parametrize(
    "wrong", [("--organization", "Acme"), ("--digest-only", "--topics"), ("--at", "noon"), ("--counterexamples", "0")]
)
async def test_wrong_usage_of_verify_is_2(left: Left, wrong: tuple[str, ...]) -> None:
    assert (await left.program("verify", *wrong)).exit_code == 2


async def test_the_role_that_a_worker_runs_as_may_verify(left: Left) -> None:
    role = f"verifier_{uuid4().hex[:8]}"
    async with left.engine.begin() as owner:
        await grant_runtime(owner, role, "secret", statement_seconds_max=1)
    url = make_url(left.deployment.settings.database.url).set(username=role, password="secret")  # noqa: S106 - of our own making

    result = await left.program("verify", DATABASE__URL=url.render_as_string(hide_password=False))

    async with left.engine.begin() as owner:
        await do(owner, [f"DROP OWNED BY {role}", f"DROP ROLE {role}"])
    assert (result.exit_code, result.stdout.count("REFUTED")) == (0, 0)


async def topics_of(left: Left) -> dict[str, Finding]:
    """What came of the claims about topics."""
    found: dict[str, Finding] = {}
    settings = left.deployment.settings
    await verify(settings, Asked(topics=True), Bar(None), lambda each: found.update({each.check.name: each}), print)
    return {name: finding for name, finding in found.items() if name not in {check.name for check in checks()}}


async def send(left: Left, topic: str, record: ConsumerRecord, **changed: Any) -> None:
    """Put a record into an output topic, where its key belongs."""
    values = {"key": record.key, "value": record.value, "headers": list(record.headers)} | changed
    async with clients.producer(left.deployment.settings.kafka) as producer:
        await producer.send_and_wait(getattr(left.deployment.settings.topics, topic), **values)


async def test_records_that_lie_in_a_topic_again_to_the_letter_are_noted(left: Left) -> None:
    (first, *_) = await left.deployment.read("binding_events")
    await send(left, "binding_events", first)

    found = await topics_of(left)

    assert all(finding.holds for finding in found.values())
    assert "1 records lie there again" in found["binding_events_are_published_as_in_the_journal"].notes[-1]
    assert "not judged" in found["binding_events_lie_in_order"].notes[-1]


async def test_what_no_worker_published_and_what_is_missing_in_a_topic_is_found(left: Left) -> None:
    topics, kafka = left.deployment.settings.topics, left.deployment.settings.kafka
    first, *_, last = await left.deployment.read("account_events")
    assert last.value is not None
    await send(left, "account_events", last, value=last.value.replace(b'"specversion":"1.0"', b'"specversion":"1.1"'))
    await send(left, "account_events", last, value=b"spam", headers=[])
    admin = clients.admin(kafka)
    await admin.start()
    cut = {TopicPartition(topics.account_events, first.partition): RecordsToDelete(before_offset=first.offset + 1)}
    await admin.delete_records(cut)
    await admin.close()

    found = await topics_of(left)

    refuted = {name: finding.counterexamples for name, finding in found.items() if not finding.holds}
    assert list(refuted) == ["account_events_are_published_as_in_the_journal", "account_events_lie_in_order"]
    same, order = refuted.values()
    position = json.loads(last.value)["commandposition"].partition("/")[2]
    missing = json.loads(first.value or b"")["commandposition"].partition("/")[2]
    assert [each["problem"] for each in same] == ["no worker wrote this", "missing in the topic", "not in the journal"]
    assert [each.get("place") for each in same] == [None, missing, position]
    assert [each["place"] for each in order] == [position]


async def test_an_older_state_at_the_end_of_a_compacted_topic_is_found(left: Left) -> None:
    states = [record for record in await left.deployment.read("payers") if record.key == b"acme/web"]
    await send(left, "payers", states[0])
    await send(left, "accounts", states[0], key=b"acme/idle", value=None, headers=[])
    await send(left, "accounts", states[0], key=b"acme/nobody", headers=[])

    found = await topics_of(left)

    (project,) = found["the_topic_of_payers_ends_with_the_projects"].counterexamples
    accounts = found["the_topic_of_accounts_ends_with_the_accounts"].counterexamples
    assert (project["key"], project["problem"]) == ("acme/web", "not the journal's last record")
    assert [(each["key"], each["problem"]) for each in accounts] == [
        ("acme/idle", "the topic has no record of it"),
        ("acme/nobody", "of nobody that the tables know"),
    ]


async def test_a_horizon_of_somebody_else_or_of_long_ago_is_found(left: Left) -> None:
    newest = {record.key: record for record in await left.deployment.read("horizons")}
    one, other, *_ = newest.values()
    assert one.value is not None
    assert other.value is not None
    document, later = json.loads(one.value), json.loads(other.value)
    document["data"]["installation"] = str(uuid4())
    later["data"]["offset"] = 1
    await send(left, "horizons", one, value=json.dumps(document).encode())
    await send(left, "horizons", other, value=json.dumps(later).encode())

    found = (await topics_of(left))["horizons_are_of_this_installation_and_not_behind"]

    assert (found.looked_at, found.violations) == (3, 2)
    assert {each["problem"] for each in found.counterexamples} == {"it is of another", "it is behind"}


async def test_a_look_cannot_write(left: Left) -> None:
    engine = create_reading_engine(left.deployment.settings.database.url)
    async with standing(engine, Look("none", 3)) as ground:
        with pytest.raises(DBAPIError, match="read-only transaction"):
            await ground.connection.execute(text("UPDATE lanes SET epoch = epoch"))
    await engine.dispose()
