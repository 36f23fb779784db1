"""`python -m benchmarks`: every part on one embedded stack, each figure beside its goal.

    python -m benchmarks [--quick | --full] [--only drain,latency] [--json FILE]

`drain` is the limit probe, the naive baseline and the worker in turns. The servers' data lie in a temporary directory.
The worker is whatever Python finds under its name: `make bench` has it find the compiled build.
"""

import argparse
import asyncio
import json
import platform
import signal
import sys
import tempfile
import time
import timeit
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import psutil
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks import cost, drain, growth, latency, scale, start
from benchmarks.goals import Figures, formatted, lines, not_measured
from benchmarks.plot import plot
from benchmarks.show import Show
from benchmarks.sizes import FULL, ORDINARY, QUICK, Sizes
from benchmarks.stage import IN_MEMORY, Stage, file_system_of, stage
from worker.domain import decide
from worker.embedded import Stack

RESULTS: Final = Path(__file__).parent / "results"
KAFKA_SETTINGS: Final = {"log.segment.delete.delay.ms": "1000"}  # what one run has written is no load for the next
AS_BROKERS_RUN: Final = ("-XX:TieredStopAtLevel=4",)  # compiled thoroughly; a minute is too short for that to pay
RATIOS: Final = ("share_of_limit", "times_naive", "times_operator", "share_of_empty")

Part = Callable[[Stage, Sizes, dict[str, Any]], Awaitable[Figures]]

PARTS: Final[Mapping[str, Part]] = {
    "drain": drain.run,
    "latency": latency.run,
    "cost": cost.run,
    "start": start.run,
    "scale": scale.run,
    "growth": growth.run,
}
QUICK_PARTS: Final = ("drain",)


def main() -> None:
    """Parse, run, print; exit 1 when a part could not be measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--quick", action="store_true", help="the ratios of binds alone, in under a minute")
    amount.add_argument("--full", action="store_true", help="also with ten million bindings of history")
    parser.add_argument("--only", type=_parts, help=f"of {','.join(PARTS)}")
    parser.add_argument(
        "--json", type=Path, help="where the raw figures go (default: a new file in benchmarks/results)"
    )
    options = parser.parse_args()
    sizes = QUICK if options.quick else FULL if options.full else ORDINARY
    parts = options.only or (QUICK_PARTS if options.quick else tuple(PARTS))
    began = datetime.now(UTC)
    with (
        tempfile.TemporaryDirectory() as directory,
        Show() as show,
        Stack(
            Path(directory),
            kafka_settings=KAFKA_SETTINGS,
            postgres_settings={"shared_buffers": f"{_shared_buffers_mebibytes()}MB"},
            java_options=() if options.quick else AS_BROKERS_RUN,
            on_progress=show.tell,
        ) as stack,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        surroundings = _surroundings(Path(directory))
        figures, raw, failures = runner.run(_perform(stack, show, parts, sizes))
    file = options.json or RESULTS / f"{began:%Y-%m-%dT%H%M%SZ}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = {"at": began.isoformat(), "parts": parts, "sizes": asdict(sizes), **surroundings}
    file.write_text(json.dumps(kept | {"figures": figures, "failures": failures, "raw": raw}, indent=1) + "\n")
    _print(figures, parts, surroundings, file)
    for part, failure in failures.items():
        print(f"{part} could not be measured: {failure}", file=sys.stderr)
    sys.exit(bool(failures))


async def _perform(
    stack: Stack, show: Show, parts: tuple[str, ...], sizes: Sizes
) -> tuple[Figures, dict[str, Any], dict[str, str]]:
    figures: Figures = {}
    raw: dict[str, Any] = {}
    failures: dict[str, str] = {}
    if (task := asyncio.current_task()) is not None:  # workers are not to outlive a benchmark that is ended
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with stage(stack, show) as at:
        for name in parts:
            show.tell(f"--- {name}")
            raw[name] = {}
            began = time.monotonic()
            try:
                measured = await PARTS[name](at, sizes, raw[name])
            except Exception as error:  # noqa: BLE001  the other parts can be measured all the same
                failures[name] = f"{type(error).__name__}: {error}"
                show.tell(f"{name}: {failures[name]}")
            else:
                figures |= {f"{name}.{figure}": value for figure, value in measured.items()}
            raw[name]["seconds_in_all"] = time.monotonic() - began
    return figures, raw, failures


def _print(figures: Figures, parts: tuple[str, ...], surroundings: Mapping[str, Any], file: Path) -> None:
    """Table, plot, where the rest is; the ratios on the last lines."""
    console = Console(width=110)
    table = Table()
    for column in ("figure", "measured", "goal", ""):
        table.add_column(column, justify="right" if column == "measured" else "left")
    for line in lines(figures):
        style = {"": None, "met": "green"}.get(line.verdict, "red")
        table.add_row(line.name, formatted(line.figure), str(line.goal or ""), line.verdict, style=style)
    console.print(table)
    for drawn in plot(figures):
        print(drawn)
    print(", ".join(f"{name} {value}" for name, value in surroundings.items()))
    if surroundings["file_system"] in IN_MEMORY:
        print("The data were in memory: fsync cost nothing, and these figures say little. Set TMPDIR to a disk.")
    missing = [name for name in not_measured(figures) if name.partition(".")[0] in parts]
    if missing:
        print(f"not measured in this run: {', '.join(missing)}")
    print(f"raw figures: {file}")
    for name, figure in figures.items():
        if name.rpartition(".")[2] in RATIOS:
            print(f"{name}: {formatted(figure)}")


def _surroundings(directory: Path) -> dict[str, Any]:
    return {
        "cores": psutil.cpu_count(),
        "memory_gibibytes": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "python_nanoseconds_an_object": round(_object_seconds() * 1e9),
        "compiled": not str(decide.__file__).endswith(".py"),
        "file_system": file_system_of(directory),
        "load_before": round(psutil.getloadavg()[0], 1),
    }


def _shared_buffers_mebibytes() -> int:
    """A quarter of the memory, as PostgreSQL's documentation has it for a server, but not more than 4 GiB."""
    return min(4096, psutil.virtual_memory().total // 2**20 // 4)


def _object_seconds() -> float:
    """How long the interpreter takes to make a small object and keep it: builds of one version differ by half."""
    count = 50_000
    run = "kept = {}\nfor n in range(count): kept[f'org-{n}'] = Made(n)"
    made = {"Made": NamedTuple("Made", [("number", int)]), "count": count}
    return min(timeit.repeat(run, globals=made, number=1, repeat=5)) / count


def _parts(given: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys("drain" if name in {"limit", "naive"} else name for name in given.split(",")))
    if unknown := [name for name in names if name not in PARTS]:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: no such part")
    return names


if __name__ == "__main__":
    main()
