"""The page's "Deciding once more", to the letter, beside a worker that goes on."""

import pytest

from tests.recovery.drills import page
from tests.recovery.drills.operator import operator
from tests.recovery.verified import history
from tests.system.deployment import Deployment

SECTION = "Deciding once more"
OTHER_RULES = {"BILLING_RULES__PAYMENT_PROFILE_REQUIRED": "false"}


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_commands_are_decided_as_they_were_and_other_rules_show_by_name(deployment: Deployment) -> None:
    await deployment.publish("acme", *history("acme"))
    async with operator(deployment) as somebody:
        somebody.run()
        await deployment.answers()
        digest = await somebody.digest()

        await somebody.follow(SECTION)

        assert await somebody.digest() == digest
        assert await deployment.rows("SELECT 1 FROM pg_namespace WHERE nspname = 'replay_scratch'") == []
        then, now = page.commands(SECTION)
        async with operator(deployment, **OTHER_RULES) as changed:
            await changed.type([then])
            await changed.type([now], exits=1)
        assert "account.create" in changed.done[-1].stdout
