"""Through which instant answers are final: what horizons tell, once everything published before them is folded.

A horizon is in another topic than the events that it speaks for, and may be read before them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Horizons:
    """`final` and `told` by partition of commands, `positions` and `ends` by log (`topic/partition`).

    Told horizons wait together: when the logs are read as far as they reached after these horizons had come, they
    count. Meanwhile newer ones gather for the next time, so that however many come, some soon count.
    """

    final: dict[int, str] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)
    told: dict[int, str] = field(default_factory=dict)
    waiting: dict[int, str] = field(default_factory=dict)
    ends: dict[str, int] | None = None

    def tell(self, partition: int, through: str) -> bool:
        """Hear of a horizon. False if it is no further than what counts already."""
        if through <= self.final.get(partition, ""):
            return False
        _raise(self.told, partition, through)
        return True

    def ask(self) -> bool:
        """Whether it is time to look where the logs end. Only what was told before this call will count for it."""
        if not self.waiting:
            self.waiting, self.told = self.told, {}
        return bool(self.waiting) and self.ends is None

    def end(self, ends: Mapping[str, int]) -> None:
        """Say where all logs end, looked up after `ask`."""
        if not ends:
            raise ValueError("horizons count when logs are read to their ends; none was given")
        if self.waiting and self.ends is None:
            self.ends = dict(ends)
            self._count()

    def reach(self, positions: Mapping[str, int]) -> None:
        """Say how far logs are folded: the next offset to read."""
        for log, position in positions.items():
            self.positions[log] = max(position, self.positions.get(log, 0))
        self._count()

    def _count(self) -> None:
        if self.ends is None or any(self.positions.get(log, 0) < end for log, end in self.ends.items()):
            return
        for partition, through in self.waiting.items():
            _raise(self.final, partition, through)
        self.waiting, self.ends = {}, None


def _raise(horizons: dict[int, str], partition: int, through: str) -> None:
    horizons[partition] = max(through, horizons.get(partition, ""))
