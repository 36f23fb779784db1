"""The page's "A lane has stopped": rows of its table that no other test follows, by what stands there to be done."""

import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from tests.faults.kafka.asking import asking, stamp
from tests.faults.kafka.lanes import ORGANIZATIONS, binds, ids_of
from tests.faults.kafka.trial import ready, says_why
from tests.recovery.drills import page
from tests.recovery.drills.operator import Operator, operator
from tests.recovery.programs import SECONDS_MAX
from tests.recovery.test_declare import decided, lose_horizons
from tests.system.checker import check
from tests.system.deployment import Deployment
from tests.system.provision import PARTITIONS
from worker.broker import clients

SECTION = "A lane has stopped"
LANE = 0
WORKER = Path(page.__file__).parents[3] / "worker"


def test_every_cause_that_the_table_names_is_one_that_a_lane_says() -> None:
    said = "".join(path.read_text("utf-8") for path in sorted(WORKER.rglob("*.py")))
    for name, text in re.findall(r'^([A-Z_]+)(?:: Final)? = "(.+)"$', said, re.MULTILINE):
        said = said.replace(f"{{{name}}}", text)
    rows = [line for line in page.section(SECTION).splitlines() if line.startswith("| ")][1:]
    words = [
        word.strip(" ,.")
        for line in rows
        for cause in line.split("|")[1].replace("taking over: ", "").split(";")
        for word in cause.split("…")
        if word.strip()
    ]

    assert len(words) > len(rows) > 5
    assert [word for word in words if word not in said] == []


@asynccontextmanager
async def stopped(deployment: Deployment, why: str) -> AsyncIterator[Operator]:
    """An operator whose worker says why all lanes stand still; he has stopped it."""
    async with operator(deployment) as somebody:
        somebody.run()
        await says_why(somebody.worker, why, lanes=PARTITIONS, seconds=SECONDS_MAX)
        assert all(why in row["stopped"] for row in await somebody.asks("lanes"))
        await somebody.stop_the_workers()
        yield somebody


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_commands_with_their_publishers_times_are_left_out_and_sent_again(deployment: Deployment) -> None:
    await decided(deployment, 0, 5)
    organization = ORGANIZATIONS[LANE]
    await stamp(deployment, "CreateTime")
    await deployment.publish(organization, *binds(organization, 5, 8))
    deployment.sent -= 3
    _, _, what = page.row(SECTION, "has no append time")
    apply, declare = [page.command_of(span, {"N": "{lane}"}) for span in page.spans(what) if span.startswith("topics ")]

    async with stopped(deployment, "has no append time") as somebody:  # ticks carry the workers' own times too
        await somebody.type([apply])
        for row in await somebody.asks("lanes"):
            await let_the_log_begin(deployment, row["lane"], row["logEnd"])
            command = [part.format(**row) for part in declare]
            await somebody.type([command, [*command, "--yes"]])
        somebody.run()
        await deployment.publish(organization, *binds(organization, 5, 10))
        await deployment.answers(SECONDS_MAX)
        await ready(somebody.worker, seconds=SECONDS_MAX)
        await somebody.stop_the_workers()

    await check(deployment, ids_of(range(5)) + Counter(f"bind-{number}" for number in range(5, 10)))


async def let_the_log_begin(deployment: Deployment, lane: int, offset: int) -> None:
    """What `kafka-delete-records.sh` does."""
    log = TopicPartition(deployment.settings.topics.commands, lane)
    async with asking(deployment) as admin:
        await admin.delete_records({log: RecordsToDelete(offset)})


async def bring_old_horizons(deployment: Deployment) -> None:
    """The topic is made anew, and holds what it held at an earlier time, as from a copy."""
    first = {record.key: record for record in reversed(await deployment.read("horizons"))}
    await lose_horizons(deployment)
    async with clients.producer(deployment.settings.kafka) as producer:
        for record in first.values():
            await producer.send_and_wait(
                record.topic, record.value, record.key, record.partition, headers=list(record.headers)
            )


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("word", ["--published-through-position", "--publish-again"])
async def test_horizons_of_an_earlier_time_are_made_good_by_a_word(deployment: Deployment, word: str) -> None:
    await decided(deployment, 0, 5)
    await decided(deployment, 5, 12)  # that those before are published the database knows, and of these not yet
    before = len(await deployment.messages("command_results"))
    await bring_old_horizons(deployment)
    _, _, what = page.row(SECTION, "the topics tell of offset")
    (declare,) = [page.command_of(span, {}) for span in page.spans(what) if span.startswith("topics declare")]
    assert word in page.spans(what) or word in declare
    one_word = [*declare[: declare.index("N")], "{lane}", word]

    async with stopped(deployment, "the topics tell of offset") as somebody:
        for lane in range(PARTITIONS):
            command = [part.format(lane=lane) for part in one_word]
            await somebody.type([command, [*command, "--yes"]])
        somebody.run()
        await ready(somebody.worker, seconds=SECONDS_MAX)
        for organization in ORGANIZATIONS:
            await deployment.publish(organization, *binds(organization, 12, 14))
        answers = await deployment.answers(SECONDS_MAX)
        await ready(somebody.worker, seconds=SECONDS_MAX)
        await somebody.stop_the_workers()

    again = len(answers) - before - 2 * PARTITIONS
    if word == "--publish-again":
        assert 0 < again < before
        assert len({answer["id"] for answer in answers}) == deployment.sent
    else:
        assert again == 0
        await check(deployment, ids_of(range(14)))
