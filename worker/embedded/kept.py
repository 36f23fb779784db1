import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from worker.embedded.keeper import Order
from worker.embedded.processes import send

KEEPER = Path(__file__).with_name("keeper.py")


@dataclass(frozen=True)
class User:
    """Whom a program runs as. `roams`: may enter directories that are closed to it (Linux only)."""

    uid: int
    gid: int
    roams: bool


@dataclass(frozen=True)
class Program:
    """What to run, what to say to it, and how it likes to be stopped."""

    command: Sequence[str]
    environment: Mapping[str, str]
    input: str = ""
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 15.0
    user: User | None = None


class Kept:
    """A program running under a keeper: it ends with this process, however this process ends."""

    def __init__(self, program: Program, *, log: Path, lock: int) -> None:
        self._program = program
        order = Order(
            command=list(program.command),
            environment=dict(program.environment),
            input=program.input,
            stop_signal=program.stop_signal,
            stop_seconds=program.stop_seconds,
            user=(program.user.uid, program.user.gid) if program.user else None,
            roams=program.user is not None and program.user.roams,
        )
        with log.open("ab") as output:
            self._keeper = subprocess.Popen(  # noqa: S603  our own script
                [sys.executable, "-I", "-S", str(KEEPER), json.dumps(order)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                start_new_session=True,  # the terminal's Ctrl-C is for the worker alone, which drains first
                pass_fds=(lock,),  # the directory stays claimed until the server is gone, not just its starter
            )
        assert self._keeper.stdout  # noqa: S101  asked for above
        self.pid = int(self._keeper.stdout.readline() or 0)  # 0: never came to be

    @property
    def running(self) -> bool:
        """Whether the program, and so its keeper, is there."""
        return self._keeper.poll() is None

    def wait(self, seconds: float) -> int | None:
        """The exit code, or None if it still runs after so many seconds."""
        try:
            code = self._keeper.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        self._close()
        return code

    def signal(self, number: signal.Signals) -> None:
        """To the server and everything that it started."""
        if self.running and self.pid:
            send(self.pid, number)

    def stop(self) -> None:
        """Ask politely, wait `stop_seconds`, then kill."""
        if self.running and self.pid:
            os.kill(self.pid, self._program.stop_signal)
            self.signal(signal.SIGCONT)
            self.wait(self._program.stop_seconds)
        self.kill()

    def kill(self) -> None:
        """End the server and all its processes at once, as a crash of the machine does."""
        self.signal(signal.SIGSTOP)  # so that none is born between looking and killing
        self.signal(signal.SIGKILL)
        self._keeper.wait()
        self._close()

    def _close(self) -> None:
        for pipe in (self._keeper.stdin, self._keeper.stdout):
            if pipe:
                pipe.close()
