"""How much is measured."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Sizes:
    """Counts of commands, repeats and seconds. `bindings` are the histories that growth is measured with."""

    partitions: int = 6
    warm_up_commands: int = 200_000
    commands: int = 100_000
    repeats: int = 3
    repeats_of_other_mixes: int = 2
    naive_commands: int = 2_500
    naive_repeats: int = 2
    mixes: tuple[str, ...] = ("binds", "half_moves", "story", "one_hot")
    latency_rates: tuple[int, ...] = (50, 500, 2_000)
    latency_seconds: float = 12
    latency_warm_up_seconds: float = 5
    growth_commands: int = 50_000
    growth_repeats: int = 3
    bindings: tuple[int, ...] = (1_000_000,)
    projects_on_one_account: int = 100_000
    cost_commands: int = 100_000
    statement_commands: int = 30_000
    scale_commands: int = 60_000
    workers: tuple[int, ...] = (1, 2, 4)
    take_over_rate: int = 240
    take_overs: int = 2
    starts: int = 5


ORDINARY: Final = Sizes()
FULL: Final = Sizes(bindings=(1_000_000, 10_000_000))
QUICK: Final = Sizes(
    warm_up_commands=5_000,
    commands=30_000,
    repeats=2,
    naive_commands=1_000,
    naive_repeats=1,
    mixes=("binds",),
)
