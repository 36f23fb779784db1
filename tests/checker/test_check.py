"""The whole check on real topics and tables: silent on what a worker left behind, loud once something is changed."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from sqlalchemy import text

from tests.system.checker import Figures, Violated, check
from tests.system.deployment import Deployment, Record
from tests.system.provision import own_database, own_deployment
from tests.system.stacks import Addresses
from tests.system.traffic import traffic
from tests.system.watched import Seen, watched
from worker.broker import clients
from worker.store.engine import create_engine

ORGANIZATIONS = ("acme", "bolt", "coil")
COMMANDS = 600
UNREADABLE = [Record(b"\xff", b"acme", [("x", None)]), Record(None, b"acme"), Record(b"[]", None)]
RULES = {"RULES__SUSPENSION_NOTICE_SECONDS": "0", "RULES__TOMBSTONE_AFTER_SECONDS": "0"}


@dataclass
class Left:
    """What a worker left behind."""

    deployment: Deployment
    sent: Counter[str]
    seen: Seen

    async def check(self, *, with_subscribers: bool = False) -> Figures:
        return await check(self.deployment, self.sent, self.seen if with_subscribers else None, healed_within_seconds=1)

    async def violated(self, *, with_subscribers: bool = False) -> dict[str, list[str]]:
        """By claim, what the check finds."""
        with pytest.raises(Violated) as violated:
            await self.check(with_subscribers=with_subscribers)
        return violated.value.found

    async def say(self, *statements: str) -> None:
        """To the database, past its triggers; each of them does something."""
        async with self.deployment.engine() as engine, engine.begin() as connection:
            await connection.execute(text("SET session_replication_role = replica"))
            for statement in statements:
                assert (await connection.execute(text(statement))).rowcount

    async def write(self, topic: str, record: ConsumerRecord, value: dict[str, Any] | None = None) -> None:
        """A record to a topic, as somebody who may not: another one's, or one with another value."""
        changed = record.value if value is None else json.dumps(value).encode()
        headers = list(record.headers)
        if value is not None:
            own = {f"ce_{name}": value[name].encode() for name in ("id", "type", "subject")}
            headers = [(name, own.get(name, old)) for name, old in headers]
        async with clients.producer(self.deployment.settings.kafka) as producer:
            name = getattr(self.deployment.settings.topics, topic)
            await producer.send_and_wait(name, changed, record.key, record.partition, headers=headers)

    async def newest(self, topic: str) -> ConsumerRecord:
        return (await self.deployment.read(topic))[-1]


@pytest.fixture(scope="module")
async def left(stack: Addresses, migrated: str) -> AsyncIterator[Left]:
    """Random commands decided and published, watched by subscribers."""
    async with own_database(stack, migrated) as url, own_deployment(stack, url) as deployment:
        commands = list(traffic(7, ORGANIZATIONS, COMMANDS))
        async with watched(deployment) as seen:
            await deployment.publish_many(commands)
            await deployment.publish_records(UNREADABLE)
            with deployment.worker(**RULES):
                await deployment.answers()
        yield Left(deployment, Counter(json.loads(value)["id"] for _, value in commands), seen)


async def test_what_a_worker_leaves_behind_is_found_sound(left: Left) -> None:
    figures = await left.check(with_subscribers=True)

    assert figures.commands == COMMANDS + len(UNREADABLE)
    assert sum(figures.outcomes.values()) == figures.commands
    assert figures.outcomes["dead letter"] == len(UNREADABLE)
    assert min(figures.events, figures.accounts, figures.projects, figures.bindings, figures.journal_rows) > 0


CHANGES = [
    ("E5", "accounts", "UPDATE accounts SET display_name = display_name || 'x', sequence = sequence + 1"),
    ("E5", "accounts", "UPDATE accounts SET net_days = net_days + 1"),
    ("E4", "accounts", "UPDATE accounts SET active_bindings = active_bindings + 1"),
    ("E5", "holds", "UPDATE holds SET message = 'Changed.'"),
    ("E5", "phases", "DELETE FROM phases WHERE sequence = 2"),
    ("E5", "projects", "UPDATE projects SET locked = NOT locked WHERE deleted_at IS NULL"),
    ("E5", "bindings", "UPDATE bindings SET account = 'nobody'"),
    ("E4", "bindings", "UPDATE bindings SET account = 'nobody'"),
    ("E4", "bindings", "UPDATE bindings SET until = until + interval '1 us' WHERE ended = 'superseded'"),
    ("E5", "inbox", "DELETE FROM inbox WHERE organization = 'acme'"),
    ("E6", "journal", "DELETE FROM journal WHERE topic = 'binding-events'"),
    ("E5", "journal", "UPDATE journal SET index = index + 1000 WHERE topic = 'accounts'"),
    ("E9", "lanes", "UPDATE lanes SET next_offset = next_offset - 1, fingerprint_offset = 0 WHERE next_offset > 2"),
    ("E9", "lanes", "UPDATE lanes SET stopped = 'Because.'"),
]


@pytest.mark.parametrize(("claim", "table", "change"), CHANGES)
async def test_a_table_that_is_changed_behind_its_back_is_noticed(
    left: Left, claim: str, table: str, change: str
) -> None:
    await left.say(f"CREATE TABLE kept AS SELECT * FROM {table}", change)  # noqa: S608
    columns = await left.deployment.rows(
        f"SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = '{table}'::regclass"  # noqa: S608
        " AND attnum > 0 AND attgenerated = '' AND NOT attisdropped"
    )
    names = ", ".join(column for (column,) in columns)
    try:
        found = await left.violated()
    finally:
        restore = f"INSERT INTO {table} ({names}) SELECT {names} FROM kept"  # noqa: S608
        await left.say(f"DELETE FROM {table}", restore, "DROP TABLE kept")  # noqa: S608

    assert claim in found


async def test_a_connection_that_is_held_is_noticed(left: Left) -> None:
    engine = create_engine(left.deployment.settings.database.url)
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
        found = await left.violated()
    await engine.dispose()

    assert "no worker lives, but it holds the connection" in found["E9"][0]


async def test_a_transaction_that_is_open_and_then_aborted_is_noticed(left: Left) -> None:
    topic, kafka = left.deployment.settings.topics.binding_events, left.deployment.settings.kafka
    async with clients.producer(kafka, transactional_id=topic) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"{}", b"acme/web", 0, headers=[("ce_id", b"early")])
        while_open = await left.violated()
        await producer.abort_transaction()
    afterwards = await left.violated()

    assert f"{topic}/0 has a transaction that is still open" in while_open["E9"]
    assert any("was sent and never published" in wrong for wrong in afterwards["E6"])


async def test_what_subscribers_saw_otherwise_and_answers_that_did_not_stand_are_noticed(left: Left) -> None:
    log = max(left.seen.committed.logs.values(), key=len)
    log.offsets.append(log.offsets[-1])
    log.identities += log.identities[-16:]
    log.marks += log.marks[-16:]
    given = left.seen.answers[0]
    left.seen.answers.append(given._replace(account="nobody"))

    found = await left.violated(with_subscribers=True)

    assert any("came 2 times to a subscriber that was there" in wrong for wrong in found["E7"])
    assert any("was paid by nobody" in wrong for wrong in found["E10"])


async def test_records_that_come_again_or_were_never_decided_are_noticed(left: Left) -> None:
    event, result = await left.newest("binding_events"), await left.newest("command_results")
    letter = await left.newest("dead_letters")
    body, said = json.loads(event.value), json.loads(result.value)
    await left.write("binding_events", event)
    await left.write("binding_events", event, body | {"source": "somebody else"})
    await left.write("binding_events", event, body | {"id": "later", "sequence": body["sequence"] + 5})
    await left.write("binding_events", event, body | {"id": "invented", "causationid": "nobody"})
    await left.write("command_results", result, said | {"id": "again"})
    elsewhere = [(name, b"0" if name == "billing-timestamp" else value) for name, value in letter.headers]
    await left.write("dead_letters", replace(letter, headers=elsewhere, value=b"other", key=b"other"))
    async with clients.producer(left.deployment.settings.kafka) as producer:
        payer = await left.newest("payers")
        await producer.send_and_wait(payer.topic, None, payer.key, payer.partition, timestamp_ms=1)

    found = await left.violated()

    assert any("is the same record as one before" in wrong for wrong in found["E7"])
    assert any("has the id of a record before it, but other bytes" in wrong for wrong in found["E2"])
    assert any("but the last one is number" in wrong for wrong in found["E2"])
    assert any("names the command 'nobody'" in wrong for wrong in found["E6"])
    assert any("is in the journal" in wrong or "is not in the journal" in wrong for wrong in found["E6"])
    assert any("has 2 results" in wrong for wrong in found["E1"])
    assert any("the tombstone" in wrong for wrong in found["E5"])
