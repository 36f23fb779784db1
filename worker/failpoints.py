"""Named places where a test may let the process die, stall or fail. Off unless a test setting turns them on.

`BILLING_TESTING__FAILPOINTS={"before-commit": "kill@3"}` kills the process the third time it comes by `before-commit`.
"""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum


class Failpoint(StrEnum):
    """Places on the way of a batch, of a take-over (after each of its steps), and of a rebalance.

    Where publishing has no transaction, inside is between the records and the horizon, and after follows the horizon.
    """

    BEFORE_COMMIT = "before-commit"
    AFTER_COMMIT = "after-commit"
    INSIDE_TRANSACTION = "inside-transaction"
    AFTER_TRANSACTION = "after-transaction"
    TAKE_OVER_FENCED = "take-over-fenced"
    TAKE_OVER_WATERMARK_READ = "take-over-watermark-read"
    TAKE_OVER_TAKEN = "take-over-taken"
    TAKE_OVER_LOG_CHECKED = "take-over-log-checked"
    TAKE_OVER_JOURNAL_PUBLISHED = "take-over-journal-published"
    REVOKED = "revoked"
    DRAINED = "drained"
    ASSIGNED = "assigned"
    POLLED = "polled"


class Action(StrEnum):
    """What happens there: SIGKILL, SIGSTOP, an exception, twelve seconds of this task alone, fifteen of everything.

    `hang` is a wait without end.
    """

    KILL = "kill"
    STOP = "stop"
    RAISE = "raise"
    WAIT = "wait"
    BLOCK = "block"
    HANG = "hang"


WAIT_SECONDS = 12
BLOCK_SECONDS = 15


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
        case Action.HANG:
            await asyncio.Event().wait()
        case Action.BLOCK:
            time.sleep(BLOCK_SECONDS)  # noqa: ASYNC251 - that nothing else runs meanwhile is the point
