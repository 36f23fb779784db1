"""One of the program's commands, run to its end as an operator runs it, and what that took."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import psutil

from benchmarks.processes import ROOT, EndedError, cpu_seconds_of_server
from worker.embedded import Stack

BYTES_PER_MEBIBYTE: Final = 1024 * 1024
SAMPLE_SECONDS: Final = 0.1


@dataclass(frozen=True)
class Ran:
    """What a command said, and what it took: itself, the broker, the database.

    Itself are all its processes. Memory is the most that was seen of what they hold together, looked at ten times a
    second: each page of memory counts once, however many of them share it.
    """

    said: Any
    seconds: float
    process_cpu_seconds: float
    broker_cpu_seconds: float
    database_cpu_seconds: float
    memory_mebibytes_max: float


async def run(stack: Stack, environment: Mapping[str, str], *arguments: str) -> Ran:
    """Run it. Raises EndedError unless it ends well."""
    servers = [stack.kafka.pid, stack.postgres.pid]
    before = [cpu_seconds_of_server(server) for server in servers]
    began = time.monotonic()
    command = [sys.executable, "-m", "worker", *arguments]
    process = subprocess.Popen(  # noqa: ASYNC220, S603  our own, and it takes no time
        command, env=dict(environment), cwd=ROOT, stdout=subprocess.PIPE
    )
    memory = Memory(process.pid)
    watching = asyncio.create_task(memory.watch())
    said, used = await asyncio.to_thread(_end_of, process)
    seconds = time.monotonic() - began
    watching.cancel()
    if process.returncode:
        raise EndedError(f"{' '.join(arguments)} ended with {process.returncode}")
    broker, database = (cpu_seconds_of_server(server) - at for server, at in zip(servers, before, strict=True))
    lines = said.splitlines()
    told = json.loads(lines[-1]) if lines and "--json" in arguments else None
    return Ran(told, seconds, used.ru_utime + used.ru_stime, broker, database, memory.bytes_max / BYTES_PER_MEBIBYTE)


class Memory:
    """What a process and those that it forked hold together (PSS), and the most that was seen of it."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.bytes_max = 0

    async def watch(self) -> None:
        """Look at it for ever."""
        while True:
            with suppress(psutil.Error):
                first = psutil.Process(self._pid)
                held = [process.memory_full_info().pss for process in (first, *first.children(recursive=True))]
                self.bytes_max = max(self.bytes_max, sum(held))
            await asyncio.sleep(SAMPLE_SECONDS)


def _end_of(process: "subprocess.Popen[bytes]") -> tuple[bytes, Any]:
    """What it said until it ended, and what the kernel knows that it used, those that it forked included."""
    with process:
        said = process.stdout.read() if process.stdout else b""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return said, used
