"""What is to be reached, figure by figure, and whether it was."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

Figures = dict[str, float]
"""What a part has measured, by name."""


@dataclass(frozen=True)
class Goal:
    """A bound of one figure: at least so much, or at most."""

    bound: float
    at_least: bool

    def is_met(self, figure: float) -> bool:
        """Whether the figure is within."""
        return figure >= self.bound if self.at_least else figure <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {formatted(self.bound)}"


def at_least(bound: float) -> Goal:
    """A goal that is met from there on."""
    return Goal(bound, at_least=True)


def at_most(bound: float) -> Goal:
    """A goal that is met up to there."""
    return Goal(bound, at_least=False)


OPERATOR_BINDINGS_PER_SECOND: Final = 250
"""What a Kubernetes operator that does the same job came to on a like machine: 180 to 250."""

GOALS: Final[Mapping[str, Goal]] = {
    "drain.binds.share_of_limit": at_least(0.75),
    "drain.story.share_of_limit": at_least(0.6),
    "drain.binds.times_naive": at_least(40),
    "drain.binds.commands_per_second": at_least(10_000),
    "drain.binds.times_operator": at_least(50),
    "latency.exactly_once.500.p50_ms": at_most(15),
    "latency.exactly_once.500.p99_ms": at_most(50),
    "latency.at_least_once.500.p50_ms": at_most(5),
    "latency.at_least_once.500.p99_ms": at_most(20),
    "growth.1000000.share_of_empty": at_least(0.9),
    "growth.10000000.share_of_empty": at_least(0.9),
    "growth.1000000.statements_not_by_key": at_most(0),
    "growth.10000000.statements_not_by_key": at_most(0),
    "growth.one_account.statements_not_by_key": at_most(0),
    "cost.worker_memory_megabytes_max": at_most(150),
    "cost.round_trips_per_batch": at_most(8),
    "scale.sigterm_standstill_seconds": at_most(1),
}
"""By the name of the part and of the figure in it."""


@dataclass(frozen=True)
class Line:
    """A figure beside its goal, if it has one."""

    name: str
    figure: float
    goal: Goal | None

    @property
    def verdict(self) -> str:
        """Met, not met, or nothing."""
        if self.goal is None:
            return ""
        return "met" if self.goal.is_met(self.figure) else "NOT MET"


def lines(figures: Mapping[str, float], goals: Mapping[str, Goal] = GOALS) -> list[Line]:
    """Every figure, in the order measured."""
    return [Line(name, figure, goals.get(name)) for name, figure in figures.items()]


def not_measured(figures: Mapping[str, float], goals: Mapping[str, Goal] = GOALS) -> list[str]:
    """Goals without a figure."""
    return [name for name in goals if name not in figures]


def formatted(figure: float) -> str:
    """As people read it: three digits that count, thousands apart."""
    if figure == 0 or abs(figure) >= 100 or float(figure).is_integer():  # noqa: PLR2004  three digits
        return f"{figure:,.0f}"
    return f"{figure:.3g}"
