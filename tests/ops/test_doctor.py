"""The doctor finds what is not as it must be, says what to do, and changes nothing."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tests.recovery.programs import program
from tests.system.deployment import Deployment, ready_account
from worker.broker import clients
from worker.ops.doctor import agreement
from worker.store import installation, lanes
from worker.store.lanes import Lane

Found = dict[str, dict[str, Any]]


async def examined(deployment: Deployment, *, fit: bool, **environment: str) -> Found:
    settings = {f"BILLING_{name}": value for name, value in environment.items()}
    done = await program(deployment, "doctor", "--json", exits=0 if fit else 1, environment=settings)
    *findings, last = map(json.loads, done.stdout.splitlines())
    assert last["fit"] is fit
    assert last["counts"]["ok"] == len([finding for finding in findings if finding["grade"] == "ok"])
    return {finding["what"]: finding for finding in findings}


@pytest.fixture
async def worked(deployment: Deployment) -> Deployment:
    """A deployment in which a worker has decided something, and has left."""
    await deployment.publish("acme", ready_account("acme", "main"))
    with deployment.worker():
        await deployment.answers()
    return deployment


async def test_a_sound_deployment_has_no_failures(worked: Deployment) -> None:
    before = await worked.rows("SELECT * FROM lanes ORDER BY partition")

    found = await examined(worked, fit=True)

    assert [what for what, finding in found.items() if finding["grade"] == "failure"] == []
    assert found["version"]["found"]  # of both: they have one name, the later one is Kafka's
    assert found["transactions"]["grade"] == "ok"
    assert found["horizons"]["grade"] == "ok"
    assert found["partitions"]["found"] == f"{worked.settings.topics.partitions} declared"
    assert found["copies"]["grade"] == "warning"
    assert all((finding["advice"] is None) == (finding["grade"] == "ok") for finding in found.values())
    assert await worked.rows("SELECT * FROM lanes ORDER BY partition") == before


async def test_what_differs_between_settings_topics_and_database_is_found(worked: Deployment) -> None:
    topics = worked.settings.topics
    admin = clients.admin(worked.settings.kafka)
    await admin.start()
    await admin.delete_topics([topics.dead_letters])
    await admin.create_topics([NewTopic(f"{topics.dead_letters}.other", 1, 1)])
    plain = ConfigResource(ConfigResourceType.TOPIC, topics.commands, {"message.timestamp.type": "CreateTime"})
    await admin.alter_configs([plain])
    await admin.close()
    async with worked.engine() as engine, engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE lanes SET stopped = 'because' WHERE partition = 1")

    found = await examined(
        worked, fit=False, TOPICS__COMMANDS_PARTITIONS="7", RETENTION__JOURNAL_DAYS="3", LANES__TICK_SECONDS="0.01"
    )

    failures = {what: finding for what, finding in found.items() if finding["grade"] == "failure"}
    assert failures.keys() == {
        f"topic {topics.dead_letters}",
        f"topic {topics.commands}",
        "lane 1",
        "partitions",
    }
    assert failures[f"topic {topics.dead_letters}"]["found"] == "is missing"
    assert "7 partitions" not in failures["partitions"]["advice"]
    assert "because" in failures["lane 1"]["found"]
    assert found["horizons"]["grade"] == "warning"


async def test_a_database_that_went_on_while_the_topics_were_read_is_not_taken_for_one_that_was_set_back(
    worked: Deployment,
) -> None:
    async with worked.engine() as engine, engine.connect() as connection:
        declared, present = await installation.read(connection), await lanes.read_all(connection)
    before = [replace(lane, next_offset=0) for lane in present]

    async def told(now: Sequence[Lane]) -> list[str]:
        async def lanes_now() -> Sequence[Lane]:
            return now

        looked = await agreement.examine(worked.settings, declared, before, datetime.now(UTC), lanes_now)
        return [finding.found for finding in looked if finding.what.startswith("lane ")]

    assert await told(present) == []
    assert any("the topics tell of offset" in found for found in await told(before))


async def test_whatever_cannot_be_reached_is_named_with_what_to_do(worked: Deployment) -> None:
    nowhere = "127.0.0.1:1"  # a port that nobody listens on

    found = await examined(
        worked,
        fit=False,
        KAFKA__BOOTSTRAP_SERVERS=nowhere,
        KAFKA__REQUEST_TIMEOUT_MS="1000",
        DATABASE__URL=f"postgresql+asyncpg://nobody@{nowhere}/none",
    )

    assert {what: finding["grade"] for what, finding in found.items()} == {"server": "failure", "broker": "failure"}
    assert "BILLING_DATABASE__URL" in found["server"]["advice"]
    assert "BILLING_KAFKA__BOOTSTRAP_SERVERS" in found["broker"]["advice"]


async def test_people_get_a_line_for_each_finding(worked: Deployment) -> None:
    done = await program(worked, "doctor")

    assert "ok       postgresql: schema: revision" in done.stdout
    assert "0 failures" in done.stderr
