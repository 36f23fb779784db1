"""Many histories: `python -m tests.simulation --seeds 1000`; one of them: `… --seed 7 --trace`."""

import argparse
import gc
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator

from tests.simulation.history import Outcome, run

PROGRESS_SECONDS = 5.0
COLLECT_EVERY = 50
SHOWN_MAX = 20


def main() -> int:
    """0 when every claim holds in every history, else 1."""
    arguments = _arguments()
    if arguments.seed is not None:
        return _show(arguments.seed, is_traced=arguments.trace)
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    total, failed, began = Totals(), 0, time.monotonic()
    reported = began
    for outcome in _outcomes(seeds, arguments.jobs):
        total.add(outcome)
        if outcome.problem is not None:
            failed += 1
            if failed <= SHOWN_MAX:
                print(f"seed {outcome.seed}: {outcome.problem}\n  {_command(outcome.seed)}", flush=True)  # noqa: T201
        if time.monotonic() - reported > PROGRESS_SECONDS:
            reported = time.monotonic()
            print(f"{total.line(reported - began)}, {failed} failed", file=sys.stderr, flush=True)  # noqa: T201
    print(f"{total.line(time.monotonic() - began)}, {failed} failed")  # noqa: T201
    print(total.faults())  # noqa: T201
    return 1 if failed else 0


class Totals:
    """What came together."""

    def __init__(self) -> None:
        self.histories = self.commands = self.steps = self.stopped = 0
        self.injected: Counter[str] = Counter()

    def add(self, outcome: Outcome) -> None:
        """One more history."""
        self.histories += 1
        self.commands += outcome.commands
        self.steps += outcome.steps
        self.stopped += outcome.stopped
        self.injected += outcome.injected

    def line(self, seconds: float) -> str:
        """How many, and how fast."""
        rate = self.histories / max(seconds, 0.001)
        faults = self.injected.total()
        return (
            f"{self.histories} histories in {seconds:.0f} s ({rate * 60:.0f} a minute),"
            f" {self.commands} commands, {faults} faults, {self.stopped} lanes rightly stopped"
        )

    def faults(self) -> str:
        """How often what was injected."""
        return "\n".join(f"  {count:>8} {kind}" for kind, count in self.injected.most_common())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000, help="how many histories")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1, help="how many processes")
    parser.add_argument("--seed", type=int, help="this history alone")
    parser.add_argument("--trace", action="store_true", help="show everything that happens in it")
    return parser.parse_args()


def _outcomes(seeds: Iterable[int], jobs: int) -> Iterator[Outcome]:
    if jobs == 1:
        _spare_the_collector()
        yield from map(_run, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs, _spare_the_collector) as pool:
        yield from pool.imap_unordered(_run, seeds, chunksize=20)


def _run(seed: int) -> Outcome:
    outcome = run(seed)
    outcome.notes = []
    if seed % COLLECT_EVERY == 0:
        gc.collect()
    return outcome


def _spare_the_collector() -> None:
    """Look for cycles between histories only: within them it costs a quarter of the time."""
    gc.collect()
    gc.freeze()
    gc.disable()


def _show(seed: int, *, is_traced: bool) -> int:
    outcome = run(seed, is_traced=is_traced)
    if is_traced:
        for at, process, what, detail in sorted([*outcome.notes, *outcome.log], key=lambda note: note[0]):
            print(f"{at:10.5f} {process:9} {what} {detail}")  # noqa: T201
    print(f"seed {seed}: {outcome.commands} commands, {outcome.injected.total()} faults, {outcome.digest}")  # noqa: T201
    print(outcome.problem or "every claim holds")  # noqa: T201
    return 1 if outcome.problem else 0


def _command(seed: int) -> str:
    return f"python -m tests.simulation --seed {seed} --trace"


if __name__ == "__main__":
    sys.exit(main())
