"""`python -m tests.soak --seconds 300`: three workers, random faults, load throughout, all checked at the end."""

import argparse
import asyncio
import json
import logging
import secrets
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tests.soak.soak import Report, soak
from worker.settings import PublishingMode


def main() -> int:
    """Exit code 0 if every promise held, 1 if one was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="for how long faults are injected (%(default)s)")
    parser.add_argument("--seed", type=int, help="repeats the commands and the choice of faults (default: a new one)")
    parser.add_argument("--rate", type=float, default=500, help="commands a second (%(default)s)")
    parser.add_argument("--workers", type=int, default=3, help="(%(default)s)")
    parser.add_argument(
        "--mode", choices=list(PublishingMode), default=PublishingMode.EXACTLY_ONCE, help="of publishing (%(default)s)"
    )
    parser.add_argument("--report", type=Path, help="append the report to this file, a JSON document a line")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else secrets.randbelow(1_000_000)
    sys.stderr.write(f"seed {seed}\n")
    logging.disable()  # the clients report every hiccup
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as directory,
        Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            refresh_per_second=1,
        ) as progress,
    ):
        bar = progress.add_task("starting", total=given.seconds)

        def show(report: Report, gone: float, now: str) -> None:
            said = f"{report.commands:,} commands, {report.faults.total()} faults, {now}"
            progress.update(bar, completed=gone, description=said)
            if not sys.stderr.isatty():
                sys.stderr.write(f"{gone:.0f} s: {said}\n")

        report = asyncio.run(
            soak(
                Path(directory),
                seed=seed,
                seconds=given.seconds,
                rate=given.rate,
                workers=given.workers,
                mode=given.mode,
                on_progress=show,
            )
        )
    said = json.dumps(report.as_json() | {"healed_seconds": [round(each, 2) for each in report.healed_seconds]})
    if given.report is not None:
        with given.report.open("a") as lines:
            lines.write(said + "\n")
    sys.stdout.write(said + "\n")
    if report.broken is not None:
        sys.stderr.write(f"BROKEN: {report.broken}\nrepeat with: make soak SECONDS={given.seconds:.0f} SEED={seed}\n")
    return 0 if report.broken is None else 1


if __name__ == "__main__":
    sys.exit(main())
