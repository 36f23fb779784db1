"""What every fault needs: the world to break, somebody to befall, and a source to draw from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from tests.simulation.tables import Tables
from tests.simulation.workers import Cluster, Worker
from tests.simulation.world import World

T = TypeVar("T")

WORKERS_MAX = 4


@dataclass
class Breaking:
    """One history's faults while they happen. `is_over`: it heals, and nothing new may break."""

    world: World
    cluster: Cluster
    random: Random = field(init=False)
    is_over: bool = False
    backup: Tables | None = None
    was_restored: bool = False

    def __post_init__(self) -> None:
        self.random = self.world.source("faults")

    def worker(self) -> Worker | None:
        """One that lives, if any does."""
        alive = self.cluster.alive
        return self.random.choice(alive) if alive else None

    def partition(self) -> int:
        """One of the lanes."""
        return self.random.randrange(self.cluster.partitions)

    def choose(self, values: Sequence[T]) -> T:
        """One of these."""
        return self.random.choice(values)

    def until(self, seconds: float) -> float:
        """When so many seconds have passed."""
        return self.world.loop.time() + seconds

    def later(self, seconds: float, what: Callable[..., object], *args: Any) -> None:
        """After a while."""
        self.world.loop.later(seconds, what, *args)

    def replace(self) -> None:
        """Start a worker in place of one that is gone."""
        if len(self.cluster.alive) < WORKERS_MAX and not self.is_over:
            self.cluster.start()


Fault = Callable[[Breaking], None]
"""Counts itself if it finds somebody to befall."""
