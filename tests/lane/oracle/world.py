"""A deployment and the oracle beside it, for histories that share both: each has organizations of its own."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from itertools import count, islice
from random import Random

from sqlalchemy.ext.asyncio import AsyncEngine

from tests.lane.oracle import standing
from tests.lane.oracle.comparison import DIFFERENCES_MAX, Comparison
from tests.lane.oracle.envelopes import Json
from tests.lane.oracle.histories import History, Round, records
from tests.lane.oracle.lane import Lane, partition_of
from tests.lane.oracle.topics import following
from tests.system import checker
from tests.system.deployment import Deployment, Record, WorkerProcess
from tests.system.provision import own_database, own_deployment
from tests.system.stacks import Addresses
from tests.system.traffic import PROJECTS
from worker.store import queries

WORKER = {"LANES__TICK_SECONDS": "0.5", "LANES__BATCH_RECORDS_MAX": "60"}
QUESTIONS = 10
ASKING_SECONDS = 0.1


def rules(settings: dict[str, str]) -> Json:
    """Settings of the rules (their names in capitals) in the oracle's words."""
    return {
        "profile_required": settings.get("PAYMENT_PROFILE_REQUIRED", "true") == "true",
        "strict": settings.get("PROJECT_REGISTRY", "open") == "strict",
        "suspension_notice": timedelta(seconds=int(settings["SUSPENSION_NOTICE_SECONDS"])),
        "move_projects_max": int(settings["MOVE_PROJECTS_MAX"]),
        "approval_not_needed_for": json.loads(settings.get("APPROVAL_NOT_NEEDED_FOR", "[]")),
        "tombstone_after": timedelta(seconds=int(settings["TOMBSTONE_AFTER_SECONDS"])),
    }


def stored_rules(stored: Json) -> Json:
    """The same, from how a worker stores them."""
    return {
        "profile_required": stored["paymentProfileRequired"],
        "strict": stored["strictRegistry"],
        "suspension_notice": timedelta(microseconds=stored["suspensionNoticeMicroseconds"]),
        "move_projects_max": stored["moveProjectsMax"],
        "approval_not_needed_for": stored["approvalNotNeededFor"],
        "tombstone_after": timedelta(microseconds=stored["tombstoneAfterMicroseconds"]),
    }


class World:
    """What lives in it is compared after each history, and asked about all the while."""

    def __init__(self, deployment: Deployment, engine: AsyncEngine, comparison: Comparison) -> None:
        self.deployment = deployment
        self.comparison = comparison
        self.asked = standing.Asked()
        self._engine = engine
        self._names = count()
        self._organizations: list[str] = []

    @contextmanager
    def worker(self, **settings: str) -> Iterator[WorkerProcess]:
        """A worker under these settings of the rules."""
        set_ = {f"RULES__{name}": value for name, value in settings.items()}
        with self.deployment.worker(**WORKER, **set_) as worker:
            yield worker

    def found(self, number: int) -> tuple[str, ...]:
        """New organizations."""
        names = tuple(f"org-{next(self._names)}" for _ in range(number))
        self._organizations += names
        return names

    async def check(self, history: History, among: tuple[str, ...] = (), seconds_max: float = 120) -> None:
        """Publish a history round after round, among new organizations or these, and compare what comes of each."""
        organizations = among or self.found(history.organizations)
        source = records(history.seed, organizations, len(self.comparison.lanes), self.comparison.known)
        for each in history.rounds:
            async with self._asking(organizations, history.seed):
                await self._publish(each, list(islice(source, each.records)), seconds_max)
        await self._compare(organizations)

    async def read_rules(self) -> None:
        """Let the oracle go by the rules that the database holds for commands that are decided again."""
        found: dict[int, list[tuple[int, Json]]] = {}
        statement = "SELECT lane, from_offset, rules::text FROM rules ORDER BY 1, 2"
        for lane, offset, stored in await self.deployment.rows(statement):
            found.setdefault(lane, []).append((offset, stored_rules(json.loads(stored))))
        self.comparison.rules_from = found

    async def end(self) -> None:
        """Once the worker is gone: what time brought about after the histories, and whether final answers were."""
        await self._compare(self._organizations)
        unexpected = self.comparison.deleted_records - self.comparison.expected_deleted
        assert not unexpected, f"tombstones of {unexpected}"
        async with queries.reading(self._engine) as connection:
            for question in list(self.asked.answers):
                await self.asked.ask(connection, question, self._home(question[0]))
        await self._engine.dispose()  # whoever holds a connection now is a worker that should be gone
        await checker.check(self.deployment)

    async def _publish(self, round_: Round, batch: list[Record], seconds_max: float) -> None:
        ends: dict[int, int] = {}
        for written in await self.deployment.publish_records(batch):
            ends[written.partition] = max(ends.get(written.partition, 0), written.offset + 1)
        await self.comparison.follow(ends, seconds_max)
        await asyncio.sleep(round_.pause_seconds)

    async def _compare(self, organizations: tuple[str, ...] | list[str]) -> None:
        different = await standing.differences(self.comparison, self._engine, organizations)
        self.comparison.complain(organizations)
        different += self.asked.compare(self.comparison)
        assert not different, "\n" + "\n".join(different[:DIFFERENCES_MAX])

    @asynccontextmanager
    async def _asking(self, organizations: tuple[str, ...], seed: int) -> AsyncIterator[None]:
        asking = asyncio.create_task(self._ask(organizations, Random(seed)))  # noqa: S311 - no secret
        try:
            yield
        finally:
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking

    async def _ask(self, organizations: tuple[str, ...], random: Random) -> None:
        """Who paid at instants up to the horizon that was told of last, or a microsecond later."""
        through = {each: self.comparison.lanes[self._home(each)].latest for each in organizations}
        while True:
            async with queries.reading(self._engine) as connection:
                for _ in range(QUESTIONS):
                    organization = random.choice(organizations)
                    before = timedelta(microseconds=random.choice((-1, 0, 0, random.randrange(10**6))))
                    question = organization, random.choice(PROJECTS), through[organization] - before
                    horizon = await self.asked.ask(connection, question, self._home(organization))
                    assert horizon is None or horizon >= through[organization], "a horizon never goes back"
                    through[organization] = horizon or through[organization]
            await asyncio.sleep(ASKING_SECONDS)

    def _home(self, organization: str) -> int:
        return partition_of(organization, len(self.comparison.lanes))


@asynccontextmanager
async def new_world(stack: Addresses, migrated: str, first_rules: Json) -> AsyncIterator[World]:
    """A deployment of its own without a worker, and an oracle that knows nothing."""
    async with own_database(stack, migrated) as url, own_deployment(stack, url) as deployment:
        partitions = deployment.settings.topics.partitions
        lanes = {number: Lane(partitions, first_rules) for number in range(partitions)}
        async with following(deployment) as topics, deployment.engine() as engine:
            yield World(deployment, engine, Comparison(topics, deployment.settings.topics.commands, lanes))
