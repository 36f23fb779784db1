"""`topics declare` on real servers: what stopped lanes goes on by an operator's word, and by nothing less."""

import json
from collections import Counter

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from tests.faults.kafka.asking import asking
from tests.faults.kafka.lanes import ORGANIZATIONS, binds, ids_of, publish_to_all
from tests.faults.kafka.test_topics_made_anew import make_commands_anew
from tests.faults.kafka.trial import end, ready, says_why
from tests.recovery.programs import program
from tests.recovery.standing import differences, rows_of
from tests.system.checker import check
from tests.system.deployment import Deployment, ready_account
from tests.system.provision import PARTITIONS, own_database
from tests.system.settling import until
from tests.system.stacks import Addresses
from worker.broker.topics import present_partitions

pytestmark = pytest.mark.timeout(600)

DECIDED = 21
LANES = range(PARTITIONS)


async def decided(deployment: Deployment, first: int, last: int) -> None:
    """Binds for every lane, decided by a worker that is gone then."""
    with deployment.worker() as worker:
        await ready(worker)
        await publish_to_all(deployment, first, last)
        await deployment.answers()
        await ready(worker)
        await end(worker)


async def refuses(deployment: Deployment, why: str) -> None:
    """A worker stops all of its lanes, and says why."""
    with deployment.worker() as worker:
        await says_why(worker, why, lanes=PARTITIONS)
        refused = await program(deployment, "topics", "declare", "--all", "--skip-to-start", "--yes", exits=1)
        assert "1 workers are in the group" in refused.stderr
        await end(worker)


async def declared(deployment: Deployment, word: str, *, fits: bool = True) -> None:
    """What fits is only shown without --yes; what does not fit is refused."""
    rows = await deployment.rows("SELECT * FROM lanes ORDER BY partition")
    asked = ("topics", "declare", "--all", f"--{word}", "--watch-seconds", "0", "--json")
    would = json.loads((await program(deployment, *asked, exits=0 if fits else 1)).stdout)
    assert all((word in lane["fitting"]) == fits for lane in would["lanes"])
    assert await deployment.rows("SELECT * FROM lanes ORDER BY partition") == rows
    done = json.loads((await program(deployment, *asked, "--yes", "--as", "ada", exits=0 if fits else 1)).stdout)
    assert done["done"] == fits
    if not fits:
        assert len(done["obstacles"]) == PARTITIONS
        return
    assert [one["lane"] for one in done["declared"]] == list(LANES)
    noted = await deployment.rows("SELECT who, arguments FROM audit WHERE command = 'topics declare' ORDER BY id")
    assert [tuple(row) for row in noted][-PARTITIONS:] == [("ada", {"lane": lane, "word": word}) for lane in LANES]


async def lose_horizons(deployment: Deployment) -> None:
    topic = deployment.settings.topics.horizons
    async with asking(deployment) as admin:
        await admin.delete_topics([topic])

        async def is_gone() -> bool:
            return topic not in await present_partitions(admin)

        await until(is_gone, "the topic is gone")
    await program(deployment, "topics", "apply")


async def is_rebuilt(deployment: Deployment, stack: Addresses, migrated: str) -> None:
    """The topics are whole again: they bring a lost database back to the row."""
    async with own_database(stack, migrated) as url:
        lost = {"BILLING_DATABASE__URL": url}
        done = json.loads((await program(deployment, "rebuild", "--yes", "--json", environment=lost)).stdout)
        assert done["lanes"] == PARTITIONS
        assert differences(await rows_of(deployment.settings.database.url), await rows_of(url)) == []
        await program(deployment, "verify", "--topics", environment=lost)


@pytest.mark.slow
async def test_lost_horizons_are_made_good_by_saying_that_everything_was_published(
    deployment: Deployment, stack: Addresses, migrated: str
) -> None:
    await decided(deployment, 0, DECIDED - 1)
    await declared(deployment, "published-through-position", fits=False)
    await lose_horizons(deployment)
    await refuses(deployment, "the horizons topic has lost this lane's record")
    await declared(deployment, "commands-anew", fits=False)

    await declared(deployment, "published-through-position")
    await is_rebuilt(deployment, stack, migrated)
    await decided(deployment, DECIDED - 1, DECIDED + 5)

    await check(deployment, ids_of(range(DECIDED + 5)))
    assert len(await deployment.messages("command_results")) == (DECIDED + 6) * PARTITIONS


@pytest.mark.slow
async def test_lost_horizons_and_what_they_told_of_is_published_again(
    deployment: Deployment, stack: Addresses, migrated: str
) -> None:
    await decided(deployment, 0, DECIDED - 1)
    before = await deployment.read("command_results")
    await lose_horizons(deployment)

    await declared(deployment, "publish-again")
    with deployment.worker() as worker:
        await ready(worker)
        await end(worker)

    after = Counter(record.value for record in await deployment.read("command_results"))
    assert after == Counter({record.value: 2 for record in before})
    assert len(await deployment.messages("horizons")) >= PARTITIONS
    await is_rebuilt(deployment, stack, migrated)


@pytest.mark.slow
async def test_commands_that_are_gone_unread_are_lost_by_an_operators_word(deployment: Deployment) -> None:
    await decided(deployment, 0, DECIDED - 1)
    await declared(deployment, "skip-to-start", fits=False)
    positions = [row[0] for row in await deployment.rows("SELECT next_offset FROM lanes ORDER BY partition")]
    await publish_to_all(deployment, 100, 110)
    lost = 5
    topic = deployment.settings.topics.commands
    async with asking(deployment) as admin:
        starts = {TopicPartition(topic, lane): RecordsToDelete(positions[lane] + lost) for lane in LANES}
        await admin.delete_records(starts)
    await refuses(deployment, "commands are gone unread")

    await declared(deployment, "skip-to-start")
    deployment.sent -= lost * PARTITIONS
    await decided(deployment, 200, 205)

    sent = ids_of([*range(DECIDED - 1), *range(105, 110), *range(200, 205)])
    await check(deployment, sent)


@pytest.mark.slow
@pytest.mark.parametrize("fresh", [5, 40])
async def test_a_topic_of_commands_made_anew_is_carried_on_behind_the_position(
    deployment: Deployment, fresh: int
) -> None:
    await decided(deployment, 0, DECIDED - 1)
    old = {answer["id"] for answer in await deployment.messages("command_results")}
    await make_commands_anew(deployment, fresh)
    await refuses(deployment, "topic made anew or cut?")
    await declared(deployment, "skip-to-start", fits=False)

    await declared(deployment, "commands-anew")
    deployment.sent += fresh * PARTITIONS
    await decided(deployment, 2_000, 2_005)
    for organization in ORGANIZATIONS:
        await deployment.publish(organization, *binds(organization, 0, 1))
    await decided(deployment, 2_005, 2_006)

    answers = await deployment.messages("command_results")
    assert len({answer["id"] for answer in answers}) == len(answers) == deployment.sent
    new = [answer for answer in answers if answer["id"] not in old]
    repeated = Counter(answer["data"]["command"] for answer in new if answer["data"]["duplicate"])
    assert repeated == Counter({"create-main": PARTITIONS, "bind-0": PARTITIONS})
    assert {answer["type"] for answer in new} == {"billing.command.accepted.v1"}
    sent = ids_of([*range(DECIDED - 1), *range(1_000, 1_000 + fresh - 1), *range(2_000, 2_006)])
    await check(deployment, sent + Counter({"create-main": PARTITIONS, "bind-0": PARTITIONS}))
    await program(deployment, "verify", "--topics")


@pytest.mark.slow
async def test_a_lane_whose_cause_is_gone_needs_no_word(deployment: Deployment) -> None:
    for organization in ORGANIZATIONS:
        await deployment.publish(organization, ready_account(organization, "main"))
    with deployment.worker() as worker:
        await ready(worker)
        await deployment.answers()
        await end(worker)

    shown = await program(deployment, "topics", "declare")
    assert "There is nothing to declare" in shown.stderr
    assert await deployment.rows("SELECT 1 FROM audit") == []
