"""The page's "A subscriber begins anew", to the letter: what stands is read from the start, answers come again."""

import pytest

from schemas.subscriber import Payer
from tests.recovery.drills import page
from tests.recovery.drills.operator import operator
from tests.recovery.drills.subscriber import Subscriber
from tests.recovery.verified import history
from tests.system.checker import check
from tests.system.deployment import Deployment

SECTION = "A subscriber begins anew"
ACME = "acme"
HALF = 15
ROWS_MIN = 15


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_who_lost_what_it_knew_reads_what_stands_and_gets_the_first_answers_again(deployment: Deployment) -> None:
    commands = list(history(ACME))
    await deployment.publish(ACME, *commands[:HALF])
    await deployment.publish("other", *history("other"))
    await deployment.publish(ACME, *commands[HALF:])
    async with operator(deployment) as somebody:
        somebody.run()
        first = [answer for answer in await deployment.answers() if answer["organization"] == ACME]
        digest = await somebody.digest()
        known = {
            answer["data"]["command"]: answer for answer in first if answer["type"] != "billing.command.evaluated.v1"
        }
        since = first[HALF]["time"]
        wanted = {id_ for id_, answer in known.items() if answer["time"] >= since}
        assert 0 < len(wanted) <= len(commands) - HALF

        await somebody.type([page.quoted(SECTION, "replay --organization acme", T=since)])

        deployment.sent += len(wanted)
        answers = await deployment.answers()
        again = [answer for answer in answers if answer["data"].get("duplicate")]
        assert {answer["data"]["command"] for answer in again} == wanted
        for answer in again:
            id_ = answer["data"]["command"]
            assert (answer["type"], answer["data"]) == (known[id_]["type"], known[id_]["data"] | {"duplicate": True})
        assert await somebody.digest() == digest
        await somebody.stop_the_workers()
        await check(deployment)
    await what_stands_is_who_pays(deployment)


async def what_stands_is_who_pays(deployment: Deployment) -> None:
    """Of the compacted topic alone, with the timeline in it."""
    late = Subscriber(deployment, only=("payers", "horizons"))
    await late.read_on()
    rows = await deployment.rows(
        "SELECT organization, project, account, since, nullif(until, 'infinity') AS ended FROM bindings"
    )
    assert len(rows) > ROWS_MIN
    for row in rows:
        paid = late.payers.paid(row.organization, row.project, row.since)
        assert isinstance(paid, Payer), (row, paid)
        assert (paid.account, paid.since, paid.until) == (row.account, row.since, row.ended)
