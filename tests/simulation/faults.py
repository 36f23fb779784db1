"""What breaks in a history, when and how often: drawn from its seed; and that everything heals in the end."""

from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from tests.simulation import server_faults, worker_faults
from tests.simulation.breaking import Breaking, Fault
from tests.simulation.workers import Cluster
from tests.simulation.world import World

RATES = (0.0, 0.0, 0.005, 0.02, 0.06)
"""How often a request goes wrong."""

COUNTS = (0, 1, 2, 3, 4, 6, 9)
"""How many faults there are besides."""

_WEIGHED: dict[Fault, float] = worker_faults.WEIGHED | server_faults.WEIGHED
FAULTS = tuple(_WEIGHED)
WEIGHTS = tuple(_WEIGHED.values())


class Planned(NamedTuple):
    """One fault to come."""

    at: float
    fault: Fault


@dataclass(frozen=True)
class Plan:
    """What is to break in a history. `is_slow`: markers of transactions take their time."""

    kafka_rate: float
    postgres_rate: float
    is_slow: bool
    faults: tuple[Planned, ...]
    backup_at: float | None


def plan(random: Random, seconds: float, *, may_restore: bool) -> Plan:
    """Draw a history's faults: none, few or many. Some come at the very beginning, some close upon another."""
    faults: list[Planned] = []
    at = 0.0
    for fault in random.choices(FAULTS, WEIGHTS, k=random.choice(COUNTS)):
        drawn = random.random()
        if drawn < 0.15:
            at = random.uniform(0.0, 0.08)
        elif drawn < 0.35 and faults:
            at = min(seconds, at + random.uniform(0.0, 0.05))
        else:
            at = random.uniform(0.0, seconds)
        faults.append(Planned(at, fault))
    backup_at = None
    if may_restore and random.random() < 0.03:
        restored_at = random.uniform(0.3, seconds)
        faults.append(Planned(restored_at, server_faults.restore_postgres))
        backup_at = random.uniform(0.1, restored_at)
    return Plan(random.choice(RATES), random.choice(RATES), random.random() < 0.2, tuple(faults), backup_at)


class Faults:
    """Brings a plan about, and heals."""

    def __init__(self, world: World, cluster: Cluster, planned: Plan) -> None:
        self._breaking = Breaking(world, cluster)
        self._plan = planned

    @property
    def was_restored(self) -> bool:
        """Whether the database was put back: then lanes may rightly stop."""
        return self._breaking.was_restored

    def begin(self) -> None:
        """Set the rates, and let the rest come in its time."""
        loop, cluster = self._breaking.world.loop, self._breaking.cluster
        cluster.broker.server.rate = self._plan.kafka_rate
        cluster.postgres.server.rate = self._plan.postgres_rate
        cluster.broker.is_slow = self._plan.is_slow
        for at, fault in self._plan.faults:
            loop.at(at, self._let_happen, fault)
        if self._plan.backup_at is not None:
            loop.at(self._plan.backup_at, self._back_up)

    def heal(self) -> float:
        """Let everything work from now on. Whoever is stopped goes on in his time.

        Returns when the last request arrives that was held up: one of a process that is long gone may fence another.
        """
        world, cluster = self._breaking.world, self._breaking.cluster
        world.note("heal")
        self._breaking.is_over = True
        links = [link for worker in cluster.workers for link in (worker.kafka, worker.database)]
        servers = (cluster.broker.server, cluster.postgres.server)
        frozen = [server.frozen_until for server in servers] + [link.frozen_until for link in links]
        for server in servers:
            server.rate = server.away_until = server.frozen_until = 0.0
        for link in links:
            link.away_until = link.frozen_until = 0.0
        cluster.broker.is_slow = False
        cluster.broker.unreadable_until.clear()
        for partition in range(cluster.partitions):
            cluster.broker.commands(partition).clock_ahead_ms = 0
        if not cluster.alive:
            cluster.start()
        return max(world.loop.time(), *frozen)

    def _let_happen(self, fault: Fault) -> None:
        if not self._breaking.is_over:
            fault(self._breaking)

    def _back_up(self) -> None:
        self._breaking.backup = self._breaking.cluster.postgres.tables.copy()
