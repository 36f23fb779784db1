"""Processes under measurement: started, watched for what they take, and ended."""

import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final
from urllib.request import urlopen

import psutil

from benchmarks.stage import Site

ROOT: Final = Path(__file__).resolve().parents[1]
WORKER: Final = ("worker", "run")
SAMPLE_SECONDS: Final = 0.1
END_SECONDS_MAX: Final = 30.0
KIBIBYTE: Final = 1024


class EndedError(Exception):
    """A process under measurement ended by itself; the message has the end of what it said."""


@dataclass
class Watched:
    """A process, what it says, and the most memory that it was seen to hold, in bytes."""

    process: subprocess.Popen[bytes]
    said: IO[bytes]
    started_at: float
    rss_bytes_max: int = 0

    @property
    def pid(self) -> int:
        """Of the process itself."""
        return self.process.pid

    def check(self) -> None:
        """Raise EndedError unless it runs."""
        if self.process.poll() is not None:
            raise EndedError(f"process {self.pid} ended with {self.process.returncode}: {self._words()[-4_000:]}")

    def cpu_seconds(self) -> float:
        """User and system time so far, of all its threads."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)

    def memory_bytes_max(self) -> int:
        """The peak that the kernel knows of; where it keeps none, the peak of the samples."""
        with suppress(OSError):
            for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * KIBIBYTE
        return self.rss_bytes_max

    def send(self, number: signal.Signals) -> None:
        """A signal to the process."""
        self.process.send_signal(number)

    async def end(self) -> None:
        """SIGTERM, and SIGKILL if that does not help; what it has is given back."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                await asyncio.to_thread(self.process.wait, END_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    async def address(self, seconds: float = 60) -> str:
        """Where a worker's health and metrics are: it says so once it has joined its group."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.check()
            _, found, rest = self._words().partition("health and metrics at ")
            if found and "\n" in rest:
                return rest.split()[0]
            await asyncio.sleep(0.02)
        raise TimeoutError(f"the worker does not get ready: {self._words()[-4_000:]}")

    def _words(self) -> str:
        self.said.seek(0)
        return self.said.read().decode(errors="replace")

    async def sample(self) -> None:
        """Look at its memory for ever."""
        while True:
            with suppress(psutil.Error):
                self.rss_bytes_max = max(self.rss_bytes_max, psutil.Process(self.pid).memory_info().rss)
            await asyncio.sleep(SAMPLE_SECONDS)


@asynccontextmanager
async def running(site: Site, module: Sequence[str] = WORKER, /, **settings: str) -> AsyncIterator[Watched]:
    """A process of this interpreter's (`python -m …`) on a deployment; ended when the block ends."""
    environment = {**site.environment, **{f"BILLING_{name}": value for name, value in settings.items()}}
    with tempfile.TemporaryFile() as said:
        started_at = time.monotonic()
        process = subprocess.Popen(  # noqa: ASYNC220, S603  our own module, and it takes no time
            [sys.executable, "-m", *module], env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=said
        )
        watched = Watched(process, said, started_at)
        sampling = asyncio.create_task(watched.sample())
        try:
            yield watched
        finally:
            sampling.cancel()
            await watched.end()


def cpu_seconds_of_server(pid: int) -> float:
    """User and system time of a server, of its children, and of those of them that have ended."""
    head = psutil.Process(pid)
    times = head.cpu_times()
    spent = times.user + times.system + times.children_user + times.children_system
    for child in head.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            times = child.cpu_times()
            spent += times.user + times.system
    return float(spent)


async def metrics_of(address: str) -> dict[str, float]:
    """What a worker's `/metrics` tells, by name with labels."""
    written = await asyncio.to_thread(_read, f"{address}/metrics")
    lines = (line.rpartition(" ") for line in written.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


async def is_ready(address: str) -> bool:
    """Whether `/readyz` says yes."""
    with suppress(OSError):
        body: dict[str, Any] = json.loads(await asyncio.to_thread(_read, f"{address}/readyz"))
        return bool(body["ready"])
    return False


def _read(url: str) -> str:
    with urlopen(url, timeout=5) as response:  # noqa: S310  the worker's own address
        read: bytes = response.read()
    return read.decode()
