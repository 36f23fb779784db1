"""What commands cost: CPU seconds of worker, broker and database, memory, statements and round trips.

CPU and memory are of a backlog of binds, from the start of the process: with imports, joining and taking over. The
statements are counted on the wire in a run of its own, with a tap between worker and database, over the second half of
its batches: by then each connection has prepared what it executes. The lane's row, the making of pieces of the journal,
what the connection pool asks, BEGIN and COMMIT all count; a COPY is one statement and two round trips.
"""

from dataclasses import asdict
from typing import Any, Final

from benchmarks.following import horizons
from benchmarks.goals import Figures
from benchmarks.measuring import drain
from benchmarks.mixes import MIXES, begin, bind_new, commands
from benchmarks.processes import metrics_of, running
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage, ends_of, publish
from benchmarks.tap import tapped

PER_COMMANDS: Final = 100_000
BATCHES: Final = "billing_batch_commands_count"
SECONDS_MAX: Final = 300.0


async def run(stage: Stage, sizes: Sizes, raw: dict[str, Any]) -> Figures:
    """Per 100,000 commands, and per batch."""
    async with (
        stage.backlog(MIXES["binds"](sizes.cost_commands), partitions=sizes.partitions) as backlog,
        stage.site(backlog, partitions=sizes.partitions) as site,
    ):
        drained = await drain(stage, site, backlog.ends, what="cost of binds")
    raw["drain"] = asdict(drained)
    share = PER_COMMANDS / drained.commands
    return {
        "worker_cpu_seconds": drained.process_cpu_seconds * share,
        "broker_cpu_seconds": drained.broker_cpu_seconds * share,
        "database_cpu_seconds": drained.database_cpu_seconds * share,
        "worker_memory_megabytes_max": drained.memory_megabytes_max,
        **await _statements(stage, sizes, raw),
    }


async def _statements(stage: Stage, sizes: Sizes, raw: dict[str, Any]) -> Figures:
    async with (
        stage.site(partitions=sizes.partitions) as site,
        tapped(site.settings.database.url) as (url, counts),
        horizons(site) as seen,
        running(site.through(url)) as worker,
    ):
        topic = site.settings.topics.commands
        address = await worker.address()
        await publish(site.settings, begin())
        await publish(site.settings, commands(bind_new, sizes.statement_commands, seed=0, begins=False))
        await seen.reach(await ends_of(site.settings, topic), seconds=SECONDS_MAX, check=worker.check)
        before, batches_before = asdict(counts), (await metrics_of(address))[BATCHES]
        await publish(site.settings, commands(bind_new, sizes.statement_commands, begins=False))
        await seen.reach(await ends_of(site.settings, topic), seconds=SECONDS_MAX, check=worker.check)
        batches = (await metrics_of(address))[BATCHES] - batches_before
        told = {name: count - before[name] for name, count in asdict(counts).items()}
    raw["statements"] = told | {"batches": batches}
    per_batch = {f"{name}_per_batch": count / batches for name, count in told.items()}
    shown = ", ".join(f"{name} {value:.2f}" for name, value in per_batch.items())
    stage.show.tell(f"{batches:.0f} batches: {shown}")
    return per_batch
