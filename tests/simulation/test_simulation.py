"""Lanes, domain and take-over through histories of faults in virtual time. `python -m tests.simulation` runs more."""

import os
import subprocess
import sys

import pytest

from tests.simulation import sabotage
from tests.simulation.history import run
from tests.simulation.sabotage import Sabotage
from tests.tidy.tree import ROOT

HISTORIES = 200
TRIED_MAX = 600
"""Within so many histories every sabotage must be found out; most are within ten."""

SABOTAGES: list[Sabotage] = [
    sabotage.forget_the_fence,
    sabotage.leave_the_row_unlocked,
    sabotage.commit_the_offset_first,
    sabotage.publish_before_commit,
    sabotage.forget_the_inbox,
    sabotage.forget_lane_time,
    sabotage.read_the_watermark_first,
    sabotage.forget_the_journal,
    sabotage.look_past_open_transactions,
    sabotage.take_over_anew_on_every_error,
    sabotage.start_from_the_groups_offset,
    sabotage.leave_lanes_running_when_joining_anew,
]


def test_every_claim_holds_in_some_hundred_histories() -> None:
    problems = {seed: problem for seed in range(HISTORIES) if (problem := run(seed).problem) is not None}

    assert problems == {}


@pytest.mark.parametrize("seed", [3, 14, 15])
def test_the_same_seed_gives_the_same_history_to_the_last_step(seed: int) -> None:
    once, again, traced = run(seed), run(seed), run(seed, is_traced=True)

    assert once.steps > 100
    assert once.notes == again.notes == traced.notes
    assert once.digest != run(seed + 1).digest


def test_a_history_is_the_same_in_every_process() -> None:
    answers = {_run_alone(seed=92, hash_seed=hash_seed) for hash_seed in ("0", "1", "2")}

    assert len(answers) == 1, answers
    assert run(92).digest in answers.pop()


@pytest.mark.parametrize("break_", SABOTAGES, ids=lambda each: each.__name__)
def test_the_product_broken_on_purpose_is_found_out(break_: Sabotage, monkeypatch: pytest.MonkeyPatch) -> None:
    break_(monkeypatch)

    assert any(run(seed).problem is not None for seed in range(TRIED_MAX))


def _run_alone(seed: int, hash_seed: str) -> str:
    """What the program says of a history, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--seed", str(seed)],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
