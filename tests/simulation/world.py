"""What everything in a history shares: the loop, the drawing, the true time, and what was noted."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

from tests.simulation.loop import PROCESS, Loop

BEGINNING = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEGINNING_MS = int(BEGINNING.timestamp() * 1000)

LATENCIES = tuple(ticks / 1024 for ticks in (1, 1, 1, 2, 2, 3, 5, 8))
"""Seconds on the wire. Few and of one grain, so that much happens at the same instant, in an order that is drawn."""

Note = tuple[float, str, str, str]


class World:
    """One history's. Each concern draws from a source of its own: what one does shifts nothing of the others."""

    def __init__(self, seed: int, *, is_traced: bool = False) -> None:
        self.seed = seed
        self.loop = Loop(self.source("order"))
        self.network = self.source("network")
        self.draw: Callable[[], float] = self.network.random
        self.injected: Counter[str] = Counter()
        self.alarms: list[str] = []
        self.notes: list[Note] = []
        self.log: list[Note] = []
        self.is_traced = is_traced
        self.is_over = False

    def source(self, concern: str) -> Random:
        """Draws for one concern."""
        return Random(f"{self.seed}/{concern}")  # noqa: S311 - repeatable, not secret

    def now(self) -> datetime:
        """The true time."""
        return BEGINNING + timedelta(seconds=self.loop.time())

    def latency(self) -> float:
        """Seconds from one end of the wire to the other."""
        return LATENCIES[int(self.draw() * 8)]

    def note(self, what: str, detail: str = "") -> None:
        """Put down that something happened, for the trace and its digest."""
        process = PROCESS.get()
        self.notes.append((self.loop.time(), "" if process is None else process.name, what, detail))

    def inject(self, kind: str, detail: object = "") -> None:
        """Count a fault."""
        self.injected[kind] += 1
        self.note("fault", f"{kind} {detail}")

    def logged(self, what: str, detail: str) -> None:
        """Put down what the product has logged: for people, not for the digest."""
        process = PROCESS.get()
        self.log.append((self.loop.time(), "" if process is None else process.name, f"log: {what}", detail))
