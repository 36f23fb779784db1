"""The same drain beside no history and beside millions of bindings; and on an account with 100,000 projects.

Deployments of every size stand side by side and take turns on the same commands: new projects and moves of them, whose
names fall anywhere among those of the history. `moves_of_history_per_second` moves projects of the history itself,
which no cache has seen. Every statement of a batch is explained at every size.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from statistics import median
from time import monotonic
from typing import Any, Final

from benchmarks import plans
from benchmarks.following import horizons
from benchmarks.goals import Figures
from benchmarks.history import TABLES, History
from benchmarks.measuring import MEGABYTE, Drained, drain
from benchmarks.mixes import NAMES, begin, commands, half_moves
from benchmarks.processes import running
from benchmarks.sizes import Sizes
from benchmarks.stage import Command, Site, Stage, ends_of, publish
from worker.wire.partitions import partition_of_key

EMPTY: Final = "empty"
BEGIN_SECONDS_MAX: Final = 120.0
SIZES_OF: Final = """
    SELECT relname AS name, pg_relation_size(oid) AS bytes FROM pg_class
    WHERE relname IN ('bindings', 'projects') OR oid IN (
        SELECT indexrelid FROM pg_index WHERE indrelid IN ('bindings'::regclass, 'projects'::regclass)
    ) ORDER BY 2 DESC
"""


async def run(stage: Stage, sizes: Sizes, raw: dict[str, Any]) -> Figures:
    """Throughput with history as a share of that without; how large tables and indexes are."""
    histories = {str(count): History(count // History.intervals) for count in sizes.bindings}
    figures = await _compare(stage, sizes, {EMPTY: None, **histories}, NAMES, raw)
    crowded = {"one_account_empty": None, "one_account": _crowd(sizes)}
    return figures | await _compare(stage, sizes, crowded, NAMES[:1], raw)


def _crowd(sizes: Sizes) -> History:
    return History(sizes.projects_on_one_account, intervals=1, accounts=("main",), names=NAMES[:1])


async def _compare(
    stage: Stage,
    sizes: Sizes,
    histories: Mapping[str, History | None],
    names: Sequence[str],
    raw: dict[str, Any],
) -> Figures:
    """Deployments with these histories, the first without any, in turns."""
    figures: Figures = {}
    runs: dict[str, list[Drained]] = {name: [] for name in histories}
    async with AsyncExitStack() as stack:
        sites: dict[str, Site] = {}
        for name, history in histories.items():
            sites[name] = await stack.enter_async_context(stage.site(partitions=sizes.partitions))
            await _begin(sites[name], names)
            if history is not None:
                figures |= await _load(stage, sites[name], name, history, raw)
        for number in range(1, sizes.growth_repeats + 1):
            for name, site in sites.items():
                turn = commands(half_moves, sizes.growth_commands, seed=number, names=names, begins=False)
                runs[name].append(await _drain(stage, site, turn, f"{name}, {number} of {sizes.growth_repeats}"))
        empty = median(each.per_second for each in runs[next(iter(runs))])
        for name, history in histories.items():
            per_second = median(each.per_second for each in runs[name])
            figures[f"{name}.commands_per_second"] = per_second
            if history is not None:
                figures[f"{name}.share_of_empty"] = per_second / empty
                moves = history.moves(min(sizes.growth_commands, history.projects), seed=sizes.growth_repeats)
                moved = await _drain(stage, sites[name], moves, f"{name}, moves of history")
                figures[f"{name}.moves_of_history_per_second"] = moved.per_second
                raw[f"{name}.moves_of_history"] = asdict(moved)
                found = await plans.explained(sites[name].settings.database.url)
                figures[f"{name}.statements_not_by_key"] = len(plans.not_by_key(found))
                raw[f"{name}.plans"] = {statement: list(map(asdict, scans)) for statement, scans in found.items()}
            raw[name] = [asdict(each) for each in runs[name]]
    return figures


async def _begin(site: Site, names: Sequence[str]) -> None:
    """Have the worker make the accounts, and leave."""
    await publish(site.settings, begin(names))
    ends = await ends_of(site.settings, site.settings.topics.commands)
    async with horizons(site) as seen, running(site) as worker:
        await seen.reach(ends, seconds=BEGIN_SECONDS_MAX, check=worker.check)


async def _load(stage: Stage, site: Site, name: str, history: History, raw: dict[str, Any]) -> Figures:
    began = monotonic()
    url = site.settings.database.url
    partitions = site.settings.topics.partitions
    lanes = {organization: partition_of_key(organization.encode(), partitions) for organization in history.names}
    await history.load(url, lanes)
    seconds = monotonic() - began
    stage.show.tell(f"{name}: {history.bindings} bindings loaded in {seconds:.0f} s")
    bytes_of = {row.name: row.bytes for row in await stage.ask(url, SIZES_OF)}
    raw[f"{name}.bytes"] = bytes_of
    tables = sum(bytes_of[table] for table in TABLES)
    return {
        f"{name}.load_seconds": seconds,
        f"{name}.tables_megabytes": tables / MEGABYTE,
        f"{name}.indexes_megabytes": (sum(bytes_of.values()) - tables) / MEGABYTE,
    }


async def _drain(stage: Stage, site: Site, turn: Iterable[Command], what: str) -> Drained:
    await publish(site.settings, turn)
    ends = await ends_of(site.settings, site.settings.topics.commands)
    return await drain(stage, site, ends, what=what)
