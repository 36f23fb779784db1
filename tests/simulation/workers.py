"""Workers: the product's lanes, their ownership and what minds them, on the ports and a subscription of this world."""

from typing import cast
from uuid import UUID

from tests.simulation.broker import Broker
from tests.simulation.database import Database
from tests.simulation.group import Group
from tests.simulation.loop import Process
from tests.simulation.network import Link
from tests.simulation.postgres import Postgres
from tests.simulation.subscription import Subscription
from tests.simulation.topics import Topics
from tests.simulation.world import World
from worker.app import _rejoin_when_fenced
from worker.lane.intake import Intake
from worker.lane.lane import Lane
from worker.lane.ownership import Ownership
from worker.lane.parts import Parts
from worker.lane.sending import TopicNames
from worker.ops.health import Health
from worker.settings import Settings
from worker.wire.writer import Writer

INSTALLATION = UUID("6b1d4a52-9f0e-5c77-8d2a-3f4b5c6d7e8f")


class Cluster:
    """Everything that the workers share, and the workers."""

    def __init__(self, world: World, settings: Settings) -> None:
        self.world = world
        self.settings = settings
        self.partitions = settings.topics.partitions
        self.broker = Broker(world, settings)
        self.postgres = Postgres(world, settings)
        self.group = Group(world, self.partitions)
        self.names = TopicNames(settings)
        self.workers: list[Worker] = []
        self._started = 0

    def start(self) -> "Worker":
        """One more worker."""
        self._started += 1
        worker = Worker(self, f"worker-{self._started}")
        self.workers.append(worker)
        return worker

    @property
    def alive(self) -> "list[Worker]":
        """Those that were not killed and are not leaving."""
        return [worker for worker in self.workers if not worker.process.is_dead and not worker.is_leaving]


class Worker:
    """One process."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        world, settings = cluster.world, cluster.settings
        self.process = Process(name)
        self.kafka = Link(world, cluster.broker.server)
        self.database = Link(world, cluster.postgres.server)
        self.is_leaving = False
        self._cluster = cluster
        self.parts = Parts(
            settings=settings,
            database=Database(cluster.postgres, self.database, INSTALLATION, settings.rules.as_rules()),
            topics=Topics(settings, cluster.names, INSTALLATION, cluster.broker, self.kafka),
            installation=INSTALLATION,
            partitions=cluster.partitions,
            names=cluster.names,
            writer=Writer(INSTALLATION, settings.publishing.source),
        )
        self.ownership = Ownership(self.parts)
        self.subscription = Subscription(cluster.broker, cluster.group, self.process, self.kafka, self.ownership)
        self.subscription.on_assigned = lambda: cluster.postgres.assigned(self.process)
        self.ownership.attach(cast("Intake", self.subscription))
        self.health = Health()
        self._life = world.loop.spawn(self.process, self._live())

    async def leave(self) -> None:
        """As on SIGTERM: drain, leave the group, end."""
        self.is_leaving = True
        self._life.cancel()
        await self.ownership.release()
        await self.subscription.stop()
        self._cluster.world.loop.halt(self.process, for_good=True)
        self._cluster.postgres.end_all(self.process)

    async def _live(self) -> None:
        """What the program does when it has put its parts together."""
        self.subscription.start()
        await _rejoin_when_fenced(self.ownership, cast("Intake", self.subscription), "kafka", self.health)


def lanes_of(cluster: Cluster, partition: int) -> list[tuple[Worker, Lane]]:
    """Whoever that lives has a lane, in whatever state."""
    return [
        (worker, lane)
        for worker in cluster.workers
        if not worker.process.is_dead and (lane := worker.ownership.lanes.get(partition)) is not None
    ]
