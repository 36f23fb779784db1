"""From the start of the process to the first command handled, whose answer a reader of committed records sees.

One command waits. The schema, the topics and the lanes' rows are there, and the worker before has left in good order.
"""

import time
from collections.abc import Mapping
from statistics import median
from typing import Any, Final

from benchmarks.following import Horizons, horizons
from benchmarks.goals import Figures
from benchmarks.mixes import begin, bind_new, commands
from benchmarks.processes import Watched, running
from benchmarks.sizes import Sizes
from benchmarks.stage import Site, Stage, ends_of, publish

SECONDS_MAX: Final = 120.0


async def run(stage: Stage, sizes: Sizes, raw: dict[str, Any]) -> Figures:
    """Seconds, the median of several starts; the very first finds nothing prepared but schema and topics."""
    async with stage.site(partitions=sizes.partitions) as site:
        await publish(site.settings, begin())
        first = await _started(site)
        waiting = commands(bind_new, sizes.starts, begins=False)
        seconds = []
        for command in waiting:
            await publish(site.settings, [command])
            seconds.append(await _started(site))
            stage.show.tell(f"start {len(seconds)} of {sizes.starts}: {seconds[-1]:.2f} s")
    raw |= {"first": first, "seconds": seconds}
    return {"first_seconds": first, "seconds": median(seconds)}


async def _started(site: Site) -> float:
    """How long until the first of what waits is published; the worker leaves when all of it is."""
    ends = await ends_of(site.settings, site.settings.topics.commands)
    async with horizons(site) as seen:
        while await seen.look():
            pass
        before = seen.done(ends)
        async with running(site) as worker:
            took = await _until_more(seen, ends, before, worker)
            await seen.reach(ends, seconds=SECONDS_MAX, check=worker.check)
    return took


async def _until_more(seen: Horizons, ends: Mapping[int, int], before: int, worker: Watched) -> float:
    deadline = time.monotonic() + SECONDS_MAX
    while seen.done(ends) == before:
        worker.check()
        if time.monotonic() > deadline:
            raise TimeoutError("nothing is handled")
        await seen.look()
    return time.monotonic() - worker.started_at
