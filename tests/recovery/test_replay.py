"""Commands read again: nothing changes in the live system, and a scratch schema shows what is decided otherwise now."""

import asyncio
import json
import os
import sys
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from tests.recovery.programs import program
from tests.system.checker import check
from tests.system.deployment import Deployment, command, ready_account
from tests.system.settling import until
from tests.system.traffic import traffic
from worker.broker import clients

pytestmark = pytest.mark.timeout(300)

ORGANIZATIONS = ("acme", "umbrella", "initech")
RULES = {"RULES__SUSPENSION_NOTICE_SECONDS": "0"}


@pytest.fixture
async def decided(deployment: Deployment) -> Deployment:
    """A deployment in which some hundred commands of every kind were decided, nothing falls due, and nobody works."""

    async def nothing_falls_due() -> bool:
        return not await deployment.rows("SELECT 1 FROM accounts WHERE due_at < now() + interval '10 minutes'")

    await deployment.publish_many(traffic(5, ORGANIZATIONS, 400))
    with deployment.worker(LANES__TICK_SECONDS="0.5", **RULES):
        await deployment.answers()
        await until(nothing_falls_due, "what falls due is done")
    return deployment


async def state(deployment: Deployment) -> list[list[Any]]:
    """Everything that a command can change but the lanes' positions."""
    tables = ("accounts", "holds", "phases", "projects", "bindings", "inbox")
    return [sorted(map(str, await deployment.rows(f"SELECT * FROM {table}"))) for table in tables]  # noqa: S608


async def group_offsets(deployment: Deployment) -> dict[TopicPartition, Any]:
    """What the live group has committed, with whatever it says beside."""
    async with clients.administering(deployment.settings.kafka) as admin:
        committed: dict[TopicPartition, Any] = await admin.list_consumer_group_offsets(
            deployment.settings.kafka.group_id
        )
    return committed


async def test_commands_that_are_sent_again_get_their_first_answers_and_change_nothing(decided: Deployment) -> None:
    before, offsets = await state(decided), await group_offsets(decided)
    counted = json.loads((await program(decided, "replay", "--json")).stdout)
    sent = json.loads((await program(decided, "replay", "--yes", "--json", "--as", "ada")).stdout)
    assert await group_offsets(decided) == offsets != {}
    decided.sent += sent["sent"]
    with decided.worker(**RULES):
        results = await decided.answers()
    duplicates = [result for result in results if result["data"].get("duplicate")]

    assert counted == {"dryRun": True, "found": sent["found"], "sent": 0}
    assert sent["sent"] == sent["found"]["remembered"] > 200
    assert len(duplicates) >= sent["sent"]
    assert await state(decided) == before
    ((who, outcome),) = await decided.rows("SELECT who, outcome FROM audit")
    assert (who, outcome["sent"]) == ("ada", sent["sent"])
    await check(decided)


async def test_only_what_is_asked_for_is_sent_again(decided: Deployment) -> None:
    first = await program(decided, "replay", "--organization", "acme", "--json")
    (lane,) = {row.lane for row in await decided.rows("SELECT lane FROM inbox WHERE organization = 'acme'")}
    ((id_, offset),) = await decided.rows(
        'SELECT command_id, "offset" FROM inbox WHERE organization = \'acme\' ORDER BY "offset" LIMIT 1'
    )
    one = await program(decided, "replay", "--organization", "acme", "--id", id_, "--json")
    none = await program(
        decided, "replay", "--organization", "acme", "--id", id_, "--lane", str(lane), "--to", str(offset), "--json"
    )

    (known,) = (await decided.rows("SELECT count(*) FROM inbox WHERE organization = 'acme'"))[0]
    assert json.loads(first.stdout)["found"]["remembered"] >= known
    assert json.loads(one.stdout)["found"]["remembered"] >= 1
    assert json.loads(none.stdout)["found"] == {}


async def test_the_same_release_and_rules_decide_the_same_in_a_scratch_schema(decided: Deployment) -> None:
    before, offsets = await state(decided), await group_offsets(decided)
    positions = await decided.rows("SELECT * FROM lanes ORDER BY partition")

    done = await program(decided, "replay", "--scratch", "--compare", "--json")

    said = json.loads(done.stdout.splitlines()[-1])
    assert said["differences"] == {}
    assert said["compared"] > 300
    assert await state(decided) == before
    assert await decided.rows("SELECT * FROM lanes ORDER BY partition") == positions
    assert await group_offsets(decided) == offsets != {}
    assert await decided.rows("SELECT nspname FROM pg_namespace WHERE nspname = 'replay_scratch'") == []


async def test_a_run_into_the_scratch_schema_that_is_killed_is_gone_on_with(decided: Deployment) -> None:
    environment = os.environ | decided.environment
    command_line = (sys.executable, "-m", "worker", "replay", "--scratch", "--compare", "--rate", "40")
    killed = await asyncio.create_subprocess_exec(*command_line, env=environment, stdout=asyncio.subprocess.DEVNULL)

    async def is_under_way() -> bool:
        ((there,),) = await decided.rows("SELECT to_regclass('replay_scratch.lanes')")
        return bool(there and await decided.rows("SELECT 1 FROM replay_scratch.lanes WHERE next_offset > 20"))

    await until(is_under_way, "commands are decided anew")
    killed.kill()
    await killed.wait()
    replaying = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'billing-worker replay' AND datname = "

    async def is_over() -> bool:
        return not await decided.rows(replaying + "current_database()")

    await until(is_over, "the server has noticed")
    stood = {row.partition: row.next_offset for row in await decided.rows("SELECT * FROM replay_scratch.lanes")}

    done = await program(decided, "replay", "--scratch", "--compare", "--keep", "--json")
    of_another = await program(decided, "replay", "--scratch", "--compare", "--json")

    said, whole = (json.loads(each.stdout.splitlines()[-1]) for each in (done, of_another))
    assert said["resumed"] is True
    assert said["offsetsDecided"] == whole["offsetsDecided"] - sum(stood.values()) < whole["offsetsDecided"]
    assert said["differences"] == whole["differences"] == {}
    assert said["compared"] == whole["compared"] > 300
    assert whole["resumed"] is False


async def test_other_rules_show_as_what_they_decide_otherwise(deployment: Deployment) -> None:
    await deployment.publish(
        "acme",
        ready_account("acme", "main"),
        command("acme", "account.create", "c-2", account="poor", currency="EUR"),
        command("acme", "project.bind", "b-1", project="web", account="poor"),
        command("acme", "project.bind", "b-2", project="app", account="main"),
    )
    with deployment.worker():
        await deployment.answers()

    done = await program(
        deployment,
        "replay",
        "--scratch",
        "--compare",
        "--rules-of-now",
        "--json",
        environment={"BILLING_RULES__PAYMENT_PROFILE_REQUIRED": "false"},
        exits=1,
    )

    *differing, said = map(json.loads, done.stdout.splitlines())
    by_command = {each["command"]: each for each in differing}
    assert said["differences"] == {"events": 1, "outcome": 1}
    assert by_command["b-1"]["then"]["reasons"] == ["ACCOUNT_NOT_READY"]
    assert by_command["b-1"]["now"]["outcome"] == "command.accepted"
    assert by_command["c-2"]["now"]["events"] == ["account.created", "account.phase-changed", "account.phase-changed"]


async def test_a_log_that_lost_its_beginning_is_not_decided_anew(decided: Deployment) -> None:
    ((lane,),) = await decided.rows("SELECT partition FROM lanes WHERE next_offset > 10 LIMIT 1")
    admin = clients.admin(decided.settings.kafka)
    await admin.start()
    await admin.delete_records({TopicPartition(decided.settings.topics.commands, lane): RecordsToDelete(10)})
    await admin.close()

    done = await program(decided, "replay", "--scratch", "--lane", str(lane), exits=1)

    assert "its log starts at 10" in done.stderr
