"""What the example answers as final while a worker publishes is what PostgreSQL says when all is over."""

import asyncio
import time
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from examples.attribute_usage import Facts, facts_into, topic
from schemas.subscriber import Answer, Nobody, NotYet, Payer, Payers, Unknown
from tests.system.deployment import Deployment
from tests.system.traffic import PROJECTS, traffic

ORGANIZATIONS = tuple(f"org-{n}" for n in range(9))
COMMANDS = 1_500
ASKED_AT_ONCE = 20
SHARE_OF_CHANGES = 0.3
SECONDS_MAX = 200
PAID = """
    SELECT organization, project, account, binding::text, since, NULLIF(until, 'infinity') FROM bindings
"""

Question = tuple[str, str, datetime]


async def publish(deployment: Deployment) -> None:
    """Commands little by little, so that horizons are read in the midst of them."""
    commands = list(traffic(7, ORGANIZATIONS, COMMANDS))
    for begin in range(0, COMMANDS, 100):
        await deployment.publish_many(commands[begin : begin + 100])
        await asyncio.sleep(0.05)


async def ask(facts: Facts, random: Random, given: dict[Question, Payer | Nobody]) -> None:
    """Fold what there is, in some logs later than in others; ask for the newest instants that are said to be final."""
    if random.random() < SHARE_OF_CHANGES:
        facts.consumer.resume(*facts.consumer.paused())
        facts.consumer.pause(*random.sample([log for log in facts.logs if log.topic != topic("horizons")], k=3))
    await facts.fold()
    for _ in range(ASKED_AT_ONCE):
        organization, project = random.choice(ORGANIZATIONS), random.choice(PROJECTS)
        if (at := facts.payers.through(organization)) is not None:
            answer: Answer = facts.payers.paid(organization, project, at)
            if isinstance(answer, Payer | Nobody):
                given[organization, project, at] = answer


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_an_answer_that_was_final_amid_traffic_is_what_the_database_says_in_the_end(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in deployment.environment.items():
        monkeypatch.setenv(name, value)
    payers = Payers(whole=True, partitions=deployment.settings.topics.partitions, commands=topic("commands"))
    given: dict[Question, Payer | Nobody] = {}
    random = Random(7)  # noqa: S311 - repeatable
    with deployment.worker(LANES__TICK_SECONDS="1", LANES__BATCH_RECORDS_MAX="20"):
        async with facts_into(payers) as facts:
            await facts.begin(lambda: True)
            publishing = asyncio.create_task(publish(deployment))
            deadline = time.monotonic() + SECONDS_MAX
            while not publishing.done():
                await ask(facts, random, given)
            await publishing
            over = datetime.now(UTC)
            while (through := payers.through()) is None or through <= over:
                assert time.monotonic() < deadline, through
                await ask(facts, random, given)
        rows = await deployment.rows(PAID)

    assert len(given) > 200
    assert sum(isinstance(answer, Payer) for answer in given.values()) > 50
    assert [question for question, answer in given.items() if not is_so(rows, question, answer)] == []
    for organization, project, account, binding, since, _ in rows:
        now = payers.paid(organization, project, since)
        assert isinstance(now, Payer), f"{now} for {organization}/{project}"
        assert (now.account, now.binding, now.since) == (account, binding, since)
    assert not any(isinstance(payers.paid(o, p, over), NotYet | Unknown) for o in ORGANIZATIONS for p in PROJECTS)


def is_so(rows: list[Any], question: Question, answer: Payer | Nobody) -> bool:
    """Whether the database says the same."""
    *project, at = question
    paid = [row for row in rows if [row[0], row[1]] == project and row[4] <= at and (row[5] is None or at < row[5])]
    if isinstance(answer, Nobody):
        return not paid
    return [(row[2], row[3], row[4]) for row in paid] == [(answer.account, answer.binding, answer.since)]
