"""Two operators at once: whoever would harm the other's work is refused until that has ended, however it ends."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.recovery.lanes import on_database
from tests.recovery.programs import SECONDS_MAX, program
from tests.recovery.standing import differences, rows_of
from tests.system.deployment import Deployment
from tests.system.provision import PARTITIONS, own_database
from tests.system.settling import until
from tests.system.stacks import Addresses
from tests.system.traffic import traffic
from worker.recovery.ground import Refused, owner_of

pytestmark = pytest.mark.timeout(600)

ORGANIZATIONS = tuple(f"org-{number}" for number in range(5))  # in every lane
MORE = str(2 * PARTITIONS)
CUT_OVER = ("topics", "cut-over", "--partitions", MORE, "--watch-seconds", "0")
DECLARE = ("topics", "declare", "--all", "--publish-again", "--watch-seconds", "0")


@pytest.mark.slow
async def test_a_second_rebuild_is_refused_while_the_first_is_alive_and_goes_on_with_it_when_it_was_killed(
    stack: Addresses, deployment: Deployment, migrated: str
) -> None:
    with deployment.worker():
        await deployment.publish_many(traffic(4, ORGANIZATIONS, 150))
        await deployment.answers(SECONDS_MAX)
    async with own_database(stack, migrated) as url:
        new = Deployment(on_database(deployment, url), deployment.environment | {"BILLING_DATABASE__URL": url})

        async def has_begun() -> bool:
            ((is_begun,),) = await new.rows("SELECT to_regclass('rebuilding') IS NOT NULL")
            return bool(is_begun)

        slow = [sys.executable, "-m", "worker", "rebuild", "--yes", "--rate", "5"]
        with subprocess.Popen(slow, env=os.environ | new.environment, stderr=subprocess.DEVNULL) as first:  # noqa: ASYNC220
            try:
                await until(has_begun, "the first has begun", SECONDS_MAX)
                second = await program(new, "rebuild", "--yes", exits=1)
                looked = await program(new, "rebuild", "--json")
                assert first.poll() is None
            finally:
                first.send_signal(signal.SIGKILL)

        assert "`billing-worker rebuild` is at work on this database: wait until it has ended" in second.stderr
        assert (json.loads(looked.stdout)["done"], json.loads(looked.stdout)["resumes"]) == (False, True)
        ((acts,),) = await new.rows("SELECT count(*) FROM audit")
        assert acts == 1  # who is refused has done nothing
        await program(new, "rebuild", "--yes")
        assert differences(await rows_of(deployment.settings.database.url), await rows_of(url)) == []


@pytest.mark.parametrize("asked", [("rebuild",), CUT_OVER, DECLARE])
async def test_whoever_changes_the_ground_is_refused_while_another_does_and_names_him(
    deployment: Deployment, asked: tuple[str, ...]
) -> None:
    async with owner_of(deployment.settings, "rebuild", is_alone=True) as engine:
        refused = await program(deployment, *asked, "--yes", exits=1)
        with pytest.raises(Refused, match="billing-worker rebuild"):
            async with owner_of(deployment.settings, "cut-over", is_alone=True):
                pytest.fail("both had it")
        async with owner_of(deployment.settings, "cut-over"), engine.connect() as connection:
            ((pid,),) = (
                await connection.exec_driver_sql("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted")
            ).all()

    assert "`billing-worker rebuild` is at work on this database" in refused.stderr
    assert f"pg_terminate_backend({pid})" in refused.stderr
    async with owner_of(deployment.settings, "cut-over", is_alone=True):
        pass
