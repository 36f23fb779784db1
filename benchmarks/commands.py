"""One of the program's commands, run to its end as an operator runs it, and what that took."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.processes import ROOT, EndedError, cpu_seconds_of_server
from worker.embedded import Stack

KIBIBYTES_PER_MEBIBYTE: Final = 1024


@dataclass(frozen=True)
class Ran:
    """What a command said, and what it took: itself, the broker, the database. Memory is its highest."""

    said: Any
    seconds: float
    process_cpu_seconds: float
    broker_cpu_seconds: float
    database_cpu_seconds: float
    rss_mebibytes_max: float


async def run(stack: Stack, environment: Mapping[str, str], *arguments: str) -> Ran:
    """Run it. Raises EndedError unless it ends well."""
    servers = [stack.kafka.pid, stack.postgres.pid]
    before = [cpu_seconds_of_server(server) for server in servers]
    seconds, said, used = await asyncio.to_thread(_run, environment, arguments)
    broker, database = (cpu_seconds_of_server(server) - at for server, at in zip(servers, before, strict=True))
    return Ran(said, seconds, used.ru_utime + used.ru_stime, broker, database, used.ru_maxrss / KIBIBYTES_PER_MEBIBYTE)


def _run(environment: Mapping[str, str], arguments: tuple[str, ...]) -> tuple[float, Any, Any]:
    """Seconds, the last line of what it said, and what the kernel knows that it used."""
    began = time.monotonic()
    command = [sys.executable, "-m", "worker", *arguments]
    process = subprocess.Popen(command, env=dict(environment), cwd=ROOT, stdout=subprocess.PIPE)  # noqa: S603  our own
    with process:
        said = process.stdout.read() if process.stdout else b""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise EndedError(f"{' '.join(arguments)} ended with {process.returncode}")
    lines = said.splitlines()
    return time.monotonic() - began, json.loads(lines[-1]) if lines and "--json" in arguments else None, used
