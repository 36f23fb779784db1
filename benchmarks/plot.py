"""Bars in a terminal."""

from collections.abc import Mapping
from typing import Final

from benchmarks.goals import formatted

WIDTH: Final = 50
EIGHTHS: Final = " ▏▎▍▌▋▊▉"
FULL: Final = "█"

GROUPS: Final[Mapping[str, str]] = {
    "commands a second": "commands_per_second|limit_per_second|naive_per_second",
    "latency, ms": "p50_ms|p95_ms|p99_ms",
    "against the ceiling": "share_of_limit|share_of_empty",
}
"""What is drawn side by side: the ends of the figures' names."""


def bars(figures: Mapping[str, float], width: int = WIDTH) -> list[str]:
    """A line for each figure, the longest bar of all for the largest."""
    if not figures:
        return []
    longest = max(map(len, figures))
    largest = max(figures.values())
    return [f"{name:<{longest}}  {bar(figure, largest, width)} {formatted(figure)}" for name, figure in figures.items()]


def bar(figure: float, largest: float, width: int = WIDTH) -> str:
    """So much of the width, to an eighth of a character."""
    eighths = round(8 * width * figure / largest) if largest > 0 else 0
    whole, rest = divmod(eighths, 8)
    return FULL * whole + (EIGHTHS[rest] if rest else "")


def plot(figures: Mapping[str, float]) -> list[str]:
    """The bars of each group that has figures, under its name."""
    drawn = []
    for title, ends in GROUPS.items():
        group = {name: figure for name, figure in figures.items() if name.rpartition(".")[2] in ends.split("|")}
        if group:
            drawn += [title, *bars(group), ""]
    return drawn
