"""A backlog drained by the worker, beside the ceiling of the stack and the naive baseline, in turns on one backlog.

For each mix of commands the worker, then the limit probe, then the worker again; medians are compared. The probe moves
what the worker has just made of the same commands.
"""

from dataclasses import asdict, astuple
from statistics import median
from typing import Any

from benchmarks import limit, naive
from benchmarks.goals import OPERATOR_BINDINGS_PER_SECOND, Figures
from benchmarks.measuring import Drained, Moved, drain, moved
from benchmarks.mixes import MIXES
from benchmarks.sizes import Sizes
from benchmarks.stage import Backlog, Stage

BINDS = "binds"
MOVED_DIFFERENCE_MAX = 0.1
ANSWERS = "SELECT outcome, count(*) FROM inbox GROUP BY outcome"


async def run(stage: Stage, sizes: Sizes, raw: dict[str, Any]) -> Figures:
    """Commands a second of each mix, as shares of the limit probe's, and times the naive baseline's."""
    await _warm_up(stage, sizes)
    figures: Figures = {}
    for mix in sizes.mixes:
        repeats = sizes.repeats if mix == BINDS else sizes.repeats_of_other_mixes
        stage.show.tell(f"{mix}: {sizes.commands} commands are put there")
        async with stage.backlog(MIXES[mix](sizes.commands), partitions=sizes.partitions) as backlog:
            figures |= await _mix(stage, sizes, (mix, repeats), backlog, raw)
    return figures


async def _mix(stage: Stage, sizes: Sizes, turn: tuple[str, int], backlog: Backlog, raw: dict[str, Any]) -> Figures:
    mix, repeats = turn
    workers: list[Drained] = []
    limits: list[Drained] = []
    naives: list[float] = []
    answers: dict[str, int] = {}
    for number in range(1, repeats + 1):
        of = f"{number} of {repeats}"
        async with stage.site(backlog, partitions=sizes.partitions) as site:
            workers.append(await drain(stage, site, backlog.ends, what=f"{mix}, worker, {of}"))
            url = site.settings.database.url
            answers = {str(outcome): count for outcome, count in await stage.ask(url, ANSWERS)}
            by_worker = await moved(stage, site)
            ceiling, by_limit = await limit.measure(
                stage, backlog, url, partitions=sizes.partitions, what=f"{mix}, limit, {of}"
            )
            limits.append(ceiling)
            _compare(by_worker, by_limit)
        if mix == BINDS and number <= sizes.naive_repeats:
            what = f"{mix}, naive, {number} of {sizes.naive_repeats}"
            naives.append(
                await naive.measure(stage, backlog, sizes.naive_commands, partitions=sizes.partitions, what=what)
            )
    raw[mix] = {
        "worker": [asdict(each) for each in workers],
        "limit": [asdict(each) for each in limits],
        "naive": naives,
        "answers": answers,
        "moved": {"by_worker": asdict(by_worker), "by_limit": asdict(by_limit)},
    }
    per_second, limit_per_second = (median(each.per_second for each in runs) for runs in (workers, limits))
    figures = {
        f"{mix}.commands_per_second": per_second,
        f"{mix}.limit_per_second": limit_per_second,
        f"{mix}.share_of_limit": per_second / limit_per_second,
        f"{mix}.seconds_from_start": median(each.seconds_from_start for each in workers),
        f"{mix}.rejected_share": answers.get("rejected", 0) / backlog.commands,
        f"{mix}.repeated_share": 1 - sum(answers.values()) / backlog.commands,
    }
    if naives:
        figures |= {
            f"{mix}.naive_per_second": median(naives),
            f"{mix}.times_naive": per_second / median(naives),
            f"{mix}.times_operator": per_second / OPERATOR_BINDINGS_PER_SECOND,
        }
    return figures


def _compare(by_worker: Moved, by_limit: Moved) -> None:
    """Raise AssertionError unless the probe has moved what the worker has. It goes by a sample."""
    for moved_by_worker, moved_by_limit in zip(astuple(by_worker), astuple(by_limit), strict=True):
        if abs(moved_by_limit / moved_by_worker - 1) > MOVED_DIFFERENCE_MAX:
            raise AssertionError(f"the worker has moved {by_worker}, the limit probe {by_limit}")


async def _warm_up(stage: Stage, sizes: Sizes) -> None:
    """The broker's code is compiled as it runs: the first run of all would pay for it."""
    async with (
        stage.backlog(MIXES["story"](sizes.warm_up_commands), partitions=sizes.partitions) as backlog,
        stage.site(backlog, partitions=sizes.partitions) as site,
    ):
        await drain(stage, site, backlog.ends, what="warming up")
