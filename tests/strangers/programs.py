"""Running what the page says, on a deployment's own servers and topics."""

import asyncio
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from schemas.topics import TOPICS
from tests.strangers.page import EXAMPLES, ROOT
from tests.system.deployment import Deployment

SECONDS_MAX = 240
"""Long: some compile, or fetch what they need, before they begin."""


@dataclass(frozen=True)
class Shell:
    """A copy of the examples, where programs may leave things beside them, and what is found on the PATH."""

    deployment: Deployment
    folder: Path
    programs: Path
    """A folder that is searched first."""

    @classmethod
    def at(cls, deployment: Deployment, folder: Path) -> "Shell":
        copy, programs = folder / "checkout", folder / "programs"
        shutil.copytree(EXAMPLES, copy / EXAMPLES.relative_to(ROOT), ignore=shutil.ignore_patterns("node_modules"))
        programs.mkdir()
        return cls(deployment, copy, programs)

    async def run(self, script: str) -> str:
        """What it prints; it must go well."""
        process = await self._start(script)
        try:
            async with asyncio.timeout(SECONDS_MAX):
                printed, complaints = await process.communicate()
        finally:
            _kill(process)
        assert process.returncode == 0, printed.decode() + complaints.decode()
        return printed.decode()

    async def follow(self, script: str, is_enough: Callable[[list[str]], bool]) -> list[str]:
        """The lines that a program prints which does not end by itself, up to where it is enough."""
        process = await self._start(script)
        assert process.stdout
        assert process.stderr
        complaints = asyncio.create_task(process.stderr.read())
        lines: list[str] = []
        try:
            async with asyncio.timeout(SECONDS_MAX):
                while not is_enough(lines) and (line := await process.stdout.readline()):
                    lines.append(line.decode().removesuffix("\n"))
        except TimeoutError:
            sys.stderr.write(f"--- {len(lines)} lines, the last ones:\n" + "\n".join(lines[-5:]))
            raise
        finally:
            _kill(process)
            sys.stderr.write((await complaints).decode())
            await process.wait()
        assert is_enough(lines), "it ended by itself"
        return lines

    async def _start(self, script: str) -> asyncio.subprocess.Process:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("BILLING_")}
        path = os.pathsep.join((str(self.programs), str(Path(sys.executable).parent), os.environ["PATH"]))
        return await asyncio.create_subprocess_exec(
            "bash",
            "-euo",
            "pipefail",
            "-c",
            self._of_ours(script),
            env=clean | self.deployment.environment | {"PATH": path, "PYTHONUNBUFFERED": "1"},
            cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=1 << 22,
        )

    def _of_ours(self, script: str) -> str:
        """With the names of this deployment's topics."""
        for topic in TOPICS:
            ours = getattr(self.deployment.settings.topics, topic.setting)
            script = re.sub(rf"(?<![\w.-]){re.escape(topic.name)}(?![\w.-])", ours, script)
        return script


def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
