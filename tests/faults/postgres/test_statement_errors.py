"""Statements that fail now and then, as they do where others write too: the transaction is over, and begun anew.

Some of what the server refuses is only refused at COMMIT.
"""

import pytest

from tests.faults.postgres.scenario import decided, faults
from tests.faults.postgres.servers import ask
from tests.system.deployment import Deployment
from tests.system.provision import PARTITIONS

HEAL_SECONDS = 30
PERCENT = 5

FAILS = """
CREATE OR REPLACE FUNCTION fail_now_and_then() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
    number bigint := nextval('failing');
BEGIN
    -- the sequence goes on when the transaction does not, so the next try is another draw
    IF abs(hashint8extended(number, {seed})) % 100 < {percent} THEN
        RAISE EXCEPTION 'refused on purpose: draw %', number USING ERRCODE = '{state}';
    END IF;
    IF TG_LEVEL = 'ROW' THEN RETURN NEW; END IF;
    RETURN NULL;
END
$$
"""
EARLY = "CREATE TRIGGER fails BEFORE INSERT OR UPDATE ON {} FOR EACH STATEMENT EXECUTE FUNCTION fail_now_and_then()"
LATE = (
    "CREATE CONSTRAINT TRIGGER fails AFTER INSERT OR UPDATE ON lanes DEFERRABLE INITIALLY DEFERRED"
    " FOR EACH ROW EXECUTE FUNCTION fail_now_and_then()"
)
STATES = {
    "40001": "serialization failure",
    "40P01": "deadlock",
    "55P03": "lock not available",
    "53100": "disk full",
    "57014": "query canceled",
}


async def begin_to_fail(url: str, state: str, seed: int, triggers: list[str]) -> None:
    await ask(url, "CREATE SEQUENCE failing")
    await ask(url, FAILS.format(seed=seed, percent=PERCENT, state=state))
    for trigger in triggers:
        await ask(url, trigger)


async def fail_no_more(url: str) -> int:
    """Returns how many draws there were. The triggers stay: whoever drops one locks its table."""
    await ask(url, FAILS.format(seed=0, percent=0, state="40001"))
    ((draws,),) = await ask(url, "SELECT last_value FROM failing")
    return int(draws)


@pytest.mark.parametrize(
    "state",
    [pytest.param(state, marks=pytest.mark.slow) for state in ("40001", "40P01", "55P03", "53100", "57014")],
    ids=lambda state: STATES[state],
)
async def test_statements_that_fail_now_and_then_are_tried_again_and_nobody_hears_of_it(
    deployment: Deployment, runtime_url: str, state: str
) -> None:
    url = deployment.settings.database.url
    tables = ["lanes", "bindings", "accounts", "inbox", *(f"journal_{lane}" for lane in range(PARTITIONS))]
    with deployment.worker(DATABASE__URL=runtime_url, LANES__BACKOFF_SECONDS_MAX="0.5") as worker:
        async with faults(deployment, worker, heals_in_seconds=HEAL_SECONDS) as traffic:
            await begin_to_fail(url, state, 7, [EARLY.format(table) for table in tables])
            await traffic.at_least(traffic.sent.total() + 200)
            await decided(deployment, traffic.sent.total())
            draws = await fail_no_more(url)
        waits = [wait for wait in worker.said("lane_waits") if "refused on purpose" in wait["cause"]]

    assert len(waits) >= 10, f"of {draws} draws"


@pytest.mark.parametrize(
    "state", [pytest.param("40001", marks=pytest.mark.slow), "40P01"], ids=lambda state: STATES[state]
)
async def test_commits_that_are_refused_now_and_then_are_tried_again_and_nobody_hears_of_it(
    deployment: Deployment, runtime_url: str, state: str
) -> None:
    url = deployment.settings.database.url
    with deployment.worker(DATABASE__URL=runtime_url, LANES__BACKOFF_SECONDS_MAX="0.5") as worker:
        async with faults(deployment, worker, heals_in_seconds=HEAL_SECONDS) as traffic:
            await begin_to_fail(url, state, 7, [LATE])
            await traffic.at_least(traffic.sent.total() + 300)
            await decided(deployment, traffic.sent.total())
            draws = await fail_no_more(url)
        waits = [wait for wait in worker.said("lane_waits") if "refused on purpose" in wait["cause"]]

    assert len(waits) >= 5, f"of {draws} draws"
