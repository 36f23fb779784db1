"""What the outside may know of a lane: its state, what it waits for, and when it last got on."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from worker import metrics


def now() -> float:
    """Seconds on the loop's clock: the simulation has one of its own."""
    return asyncio.get_running_loop().time()


class LaneState(StrEnum):
    """What a lane is doing."""

    TAKING_OVER = "taking over"
    RUNNING = "running"
    WAITING = "waiting"
    STOPPED = "stopped"
    FENCED = "fenced"
    ENDED = "ended"


class Unpublished(NamedTuple):
    """Since when a committed batch waits; and when the broker appended its oldest record, by the brokers' clock."""

    since: float
    appended_at: float | None = None


@dataclass(slots=True)
class Progress:
    """Instants are seconds on the loop's clock.

    `ticked_at` is when the first tick was acknowledged that has not come back yet. `unpublished` has an entry for
    each committed batch that waits to be published; what a former owner left counts from the assignment on. `doubt` is
    why a batch failed, until one is committed: that a lane could be taken over proves less. `failures` are in a row.
    `outlived` is why only a new process can own the lane. `through` is the instant of lane time that is published, in
    seconds since 1970; None until there is one.
    """

    state: LaneState = LaneState.TAKING_OVER
    cause: str | None = None
    moved_at: float = field(default_factory=now)
    ticked_at: float | None = None
    unpublished: deque[Unpublished] = field(default_factory=lambda: deque([Unpublished(now())]))
    doubt: str | None = None
    failures: int = 0
    outlived: str | None = None
    through: float | None = None

    def set(self, state: LaneState, cause: str | None = None) -> None:
        """The lane does something else now."""
        self.state, self.cause, self.ticked_at = state, cause, None

    def runs(self, *, has_moved: bool) -> None:
        """The lane is taken over, further on than it was known to stand or not, and goes to work."""
        self.set(LaneState.RUNNING)
        if has_moved or self.doubt is None:
            self.doubt, self.failures = None, 0

    def committed(self, appended_at: float | None = None) -> None:
        """A batch is behind COMMIT, whose oldest record was appended at an instant of the brokers' clock."""
        self.moved_at = now()
        self.unpublished.append(Unpublished(self.moved_at, appended_at))
        if appended_at is not None:
            metrics.COMMITTED_LATENCY_SECONDS.observe(max(0.0, time.time() - appended_at))
        self.ticked_at = self.cause = self.doubt = None
        self.failures = 0

    def published(self, batches: int, through: float) -> None:
        """The oldest batches are published, and lane time through an instant."""
        at, self.through = time.time(), through
        for _ in range(batches):
            appended_at = self.unpublished.popleft().appended_at
            if appended_at is not None:
                metrics.PUBLISHED_LATENCY_SECONDS.observe(max(0.0, at - appended_at))

    def ticked(self, failure: str | None) -> None:
        """A tick was acknowledged, or could not be sent."""
        self.cause = failure
        if failure is not None:
            self.ticked_at = None
        elif self.ticked_at is None:
            self.ticked_at = now()

    @property
    def stands_still_seconds(self) -> float:
        """How long a record lies acknowledged at the end of the log, and the lane, though it runs, has not moved."""
        return 0.0 if self.state is not LaneState.RUNNING or self.ticked_at is None else now() - self.ticked_at
