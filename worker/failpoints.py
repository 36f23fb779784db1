"""Named places where a test may let the process die, stall or fail. Off unless a test setting turns them on.

`BILLING_TESTING__FAILPOINTS={"before-commit": "kill@3"}` kills the process the third time it comes by `before-commit`.
"""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum


class Failpoint(StrEnum):
    """Places on the way of a batch and of a take-over."""

    BEFORE_COMMIT = "before-commit"
    AFTER_COMMIT = "after-commit"
    INSIDE_TRANSACTION = "inside-transaction"
    AFTER_TRANSACTION = "after-transaction"
    TAKE_OVER_FENCED = "take-over-fenced"
    TAKE_OVER_TAKEN = "take-over-taken"


class Action(StrEnum):
    """What happens there: SIGKILL, SIGSTOP, an exception, or twelve seconds during which only this task waits."""

    KILL = "kill"
    STOP = "stop"
    RAISE = "raise"
    WAIT = "wait"


WAIT_SECONDS = 12


class InjectedError(Exception):
    """Raised on purpose."""


_armed: dict[Failpoint, tuple[Action, int]] = {}
_passed: Counter[Failpoint] = Counter()


def configure(failpoints: Mapping[str, str]) -> None:
    """Arm places: name to action, `@n` for the n-th time. Raises ValueError for unknown ones."""
    _armed.clear()
    _passed.clear()
    for name, text in failpoints.items():
        action, _, times = text.partition("@")
        _armed[Failpoint(name)] = Action(action), int(times or 1)


async def pass_by(failpoint: Failpoint) -> None:
    """Do what was armed for this place, if anything."""
    if failpoint not in _armed:
        return
    action, times = _armed[failpoint]
    _passed[failpoint] += 1
    if _passed[failpoint] != times:
        return
    match action:
        case Action.KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        case Action.STOP:
            os.kill(os.getpid(), signal.SIGSTOP)
        case Action.RAISE:
            raise InjectedError(failpoint)
        case Action.WAIT:
            await asyncio.sleep(WAIT_SECONDS)
