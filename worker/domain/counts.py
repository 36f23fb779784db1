"""How many partitions of commands are declared, and how many were before each cut-over: lane by lane, by offset."""

from collections.abc import Mapping, Sequence

from worker.domain.value import value
from worker.domain.values import Instant


@value
class CutOver:
    """Before these offsets, by lane, so many partitions were declared. What follows lies above an instant, if known."""

    partitions: int
    offsets: Mapping[int, int]
    above: Instant | None = None


@value
class Counts:
    """What is declared now, and all cut-overs that led there, the oldest first."""

    declared: int
    cut_overs: Sequence[CutOver] = ()

    def at(self, lane: int, offset: int) -> int:
        """The number by which the command at an offset of a lane was judged."""
        return next(
            (cut_over.partitions for cut_over in self.cut_overs if offset < cut_over.offsets.get(lane, 0)),
            self.declared,
        )

    @property
    def ever(self) -> Sequence[int]:
        """Every number that was ever declared."""
        return [*(cut_over.partitions for cut_over in self.cut_overs), self.declared]
