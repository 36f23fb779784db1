import shutil
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import psutil

from worker.embedded.claim import Claim
from worker.embedded.errors import EmbeddedError
from worker.embedded.kept import Kept, Program
from worker.embedded.ports import LOOPBACK, is_free, remembered
from worker.embedded.processes import family, is_about, send

READY_SECONDS_MAX = 60.0
PREPARE_SECONDS_MAX = 60.0
PORT_SECONDS_MAX = 10.0


def silent(_: str) -> None:
    """No progress shown."""


class Server(ABC):
    """A server on 127.0.0.1 whose data lives in `directory` and is kept between runs.

    It may be started again after `stop` and after `kill`: on the same port, with the same data. It never outlives this
    process. Not for several threads at once.
    """

    name: ClassVar[str]

    def __init__(
        self, directory: Path, *, port: int | None = None, on_progress: Callable[[str], None] = silent
    ) -> None:
        self.directory = directory.absolute()
        self.data = self.directory / "data"
        self.log = self.directory / f"{self.name.lower()}.log"
        self._port = port
        self._on_progress = on_progress
        self._claim: Claim | None = None
        self._kept: Kept | None = None
        self._launched_at = 0.0

    @property
    def port(self) -> int:
        """Chosen at the first start. Raises EmbeddedError before it."""
        if self._port is None:
            raise EmbeddedError(f"{self.name} has no port yet", remedy="Start it first")
        return self._port

    @property
    def pid(self) -> int:
        """Of the server itself. Raises EmbeddedError if it has not been started."""
        if self._kept is None:
            raise EmbeddedError(f"{self.name} has not been started", remedy="Start it first")
        return self._kept.pid

    @property
    def running(self) -> bool:
        """Whether its process is there, answering or not."""
        return self._kept is not None and self._kept.running

    def start(self, *, fresh: bool = False) -> None:
        """Start and wait until it answers; `fresh` forgets all data first. Raises EmbeddedError."""
        self.launch(fresh=fresh)
        self.wait_ready()

    def launch(self, *, fresh: bool = False) -> None:
        """Start without waiting for an answer."""
        if self.running:
            raise EmbeddedError(f"{self.name} is already running as process {self.pid}", remedy="Stop it first")
        self.kill()  # what is left of a server that ended by itself
        self._claim = Claim(self.directory)
        try:
            self._end_orphan()
            if fresh:
                shutil.rmtree(self.data, ignore_errors=True)
            self._port = self._take_port()
            self._turn_log()
            self._prepare()
            self._launched_at = time.monotonic()
            self._kept = self._keep(self._program())
            (self.directory / "pid").write_text(f"{self._kept.pid}\n")
        except BaseException:
            self.kill()
            raise

    def wait_ready(self, seconds: float = READY_SECONDS_MAX) -> None:
        """Wait until the server answers. Raises EmbeddedError, the server stopped, when it ends or takes too long."""
        deadline = time.monotonic() + seconds
        try:
            while not self._answers():
                self._may_still_answer(deadline)
                time.sleep(0.02)
        except BaseException:
            self.kill()
            raise
        took = time.monotonic() - self._launched_at
        self._on_progress(f"{self.name} is up on {LOOPBACK}:{self.port} after {took:.1f} s")

    def stop(self) -> None:
        """Shut down in an orderly way, or after a bounded wait by force. Nothing happens if it does not run."""
        if self._kept:
            self._kept.stop()
        self._let_go()

    def kill(self) -> None:
        """SIGKILL to the server and all its processes. Nothing happens if it does not run."""
        if self._kept:
            self._kept.kill()
        self._let_go()

    def restart(self) -> None:
        """Stop and start again: the same port, the same data."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """SIGSTOP: the server keeps its connections, and says nothing."""
        if self._kept:
            self._kept.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT, after `pause`."""
        if self._kept:
            self._kept.signal(signal.SIGCONT)

    @abstractmethod
    def _prepare(self) -> None:
        """Lay the data directory where there is none, and write what the server reads at its start."""

    @abstractmethod
    def _program(self) -> Program: ...

    @abstractmethod
    def _answers(self) -> bool: ...

    def _keep(self, program: Program) -> Kept:
        assert self._claim  # noqa: S101  taken in launch
        return Kept(program, log=self.log, lock=self._claim.fd)

    def _complete(self, program: Program, purpose: str) -> None:
        """Run a program that ends by itself, with the same care as the server."""
        kept = self._keep(program)
        try:
            code = kept.wait(PREPARE_SECONDS_MAX)
        finally:
            kept.kill()
        if code != 0:
            raise self._broken(
                f"could not be prepared: {purpose} " + ("hung" if code is None else f"ended with {code}")
            )

    def _may_still_answer(self, deadline: float) -> None:
        if not self.running:
            raise self._broken("ended while it was starting")
        if time.monotonic() > deadline:
            raise self._broken("did not answer in time")

    def _broken(self, what: str) -> EmbeddedError:
        return EmbeddedError(
            f"{self.name} {what}",
            log=self.log,
            remedy=f"Mend what the log names, or start afresh: that forgets the data in {self.data}",
        )

    def _take_port(self) -> int:
        if self._port is None:
            return remembered(self.directory / "port")
        deadline = time.monotonic() + PORT_SECONDS_MAX
        while not is_free(self._port):
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"port {self._port} on {LOOPBACK}, where {self.name} was to be, is taken",
                    remedy="Free it, or choose another",
                )
            time.sleep(0.05)
        return self._port

    def _turn_log(self) -> None:
        """One log a run, and the one before it."""
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))

    def _end_orphan(self) -> None:
        """A server whose keeper was killed too: the claim on the directory is ours, so nobody needs it any more."""
        noted = self.directory / "pid"
        pid = int(noted.read_text().strip() or 0) if noted.exists() else 0
        if pid and is_about(pid, self.directory):
            orphans = family(pid)
            send(pid, signal.SIGKILL)
            psutil.wait_procs(orphans, PREPARE_SECONDS_MAX)

    def _let_go(self) -> None:
        if self._claim:
            self._claim.release()
            self._claim = None
