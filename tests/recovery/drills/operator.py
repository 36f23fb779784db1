"""Somebody who follows the page: types its commands one after the other, and leaves running what `run` started."""

import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.recovery.drills import page
from tests.recovery.drills.page import Command
from tests.recovery.programs import program
from tests.system.deployment import Deployment, WorkerProcess

Done = subprocess.CompletedProcess[str]


@dataclass
class Operator:
    """`workers` are those that he started, the last one last; `done` is what his commands came to."""

    deployment: Deployment
    environment: Mapping[str, str] = field(default_factory=dict)
    workers: list[WorkerProcess] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    _stack: ExitStack = field(default_factory=ExitStack)

    @property
    def worker(self) -> WorkerProcess:
        """The one that was started last."""
        return self.workers[-1]

    async def follow(self, head: str, **put: str) -> None:
        """Type everything that a section of the page says."""
        await self.type(page.commands(head, **put))

    async def type(self, commands: Iterable[Command], exits: int = 0) -> None:
        """Type these. What does not go on has to end so."""
        for command in commands:
            if command == ["run"]:
                self.run()
            else:
                self.done.append(await program(self.deployment, *command, exits=exits, environment=self.environment))

    def run(self, **settings: str) -> WorkerProcess:
        """Start a worker."""
        self.workers.append(self._stack.enter_context(self.deployment.worker(**settings)))
        return self.worker

    async def stop_the_workers(self) -> None:
        """Ask all of them to end, and wait until they have."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.send(signal.SIGTERM)
                assert await asyncio.to_thread(worker.died) == 0

    async def asks(self, *command: str) -> list[dict[str, Any]]:
        """What a command answers programs."""
        done = await program(self.deployment, *command, "--json", environment=self.environment)
        return [json.loads(line) for line in done.stdout.splitlines()]

    async def digest(self, at: str | None = None) -> str:
        """Of everything now; or as of an instant, typed as the page says."""
        command = ["verify", "--digest-only"]
        if at is not None:
            command = page.quoted("The database is lost", "verify --digest-only", T=at)
        return str((await self.asks(*command))[-1]["digest"])

    async def complete_through(self) -> str:
        """Through which instant every lane has decided everything: what was before it is final."""
        return str((await self.asks("verify", "--digest-only"))[-1]["completeThrough"])


@asynccontextmanager
async def operator(deployment: Deployment, **environment: str) -> AsyncIterator[Operator]:
    """Somebody at a keyboard; what he started ends with the block."""
    somebody = Operator(deployment, environment)
    with somebody._stack:  # noqa: SLF001 - its own
        yield somebody
