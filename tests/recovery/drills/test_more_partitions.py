"""The page's "More partitions", to the letter."""

import pytest

from tests.recovery.drills import page
from tests.recovery.drills.operator import operator
from tests.system.checker import check
from tests.system.deployment import Deployment, command, ready_account
from worker.wire.partitions import partition_of

SECTION = "More partitions"
ORGANIZATIONS = [f"org-{number}" for number in range(9)]


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_organizations_move_to_new_lanes_and_their_commands_are_accepted(deployment: Deployment) -> None:
    commands = page.commands(SECTION)
    (more,) = {int(each[each.index("--partitions") + 1]) for each in commands if "--partitions" in each}
    assert any(partition_of(name, more) >= deployment.settings.topics.partitions for name in ORGANIZATIONS)
    async with operator(deployment) as somebody:
        somebody.run()
        await deployment.publish_many((name, ready_account(name, "main")) for name in ORGANIZATIONS)
        await deployment.answers()
        await somebody.stop_the_workers()

        await somebody.type(commands)

        somebody.run(TOPICS__COMMANDS_PARTITIONS=str(more))
        await deployment.publish_many(
            (name, command(name, "project.bind", "bind", project="web", account="main")) for name in ORGANIZATIONS
        )
        answers = await deployment.answers()
        assert {answer["type"] for answer in answers} == {"billing.command.accepted.v1"}
        lives_in = {
            answer["organization"]: int(answer["commandposition"].split("/")[1])
            for answer in answers
            if answer["data"]["command"] == "bind"
        }
        assert lives_in == {name: partition_of(name, more) for name in ORGANIZATIONS}
        await somebody.type([["verify"]])
        await somebody.stop_the_workers()
        await check(deployment)
