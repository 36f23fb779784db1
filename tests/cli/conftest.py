import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from typer.testing import CliRunner, Result

from tests.system.deployment import Deployment
from worker.cli.program import app


@dataclass(frozen=True)
class Program:
    """The program, as it runs with these settings."""

    environment: dict[str, str]

    async def __call__(self, *arguments: str, given: str | bytes | None = None, **settings: str) -> Result:
        """Run a command in a thread of this process. `settings` as in the environment, `BILLING_` left out."""
        environment = self.environment | {f"BILLING_{name}": value for name, value in settings.items()}
        runner = CliRunner(env=environment)
        return await asyncio.to_thread(runner.invoke, app, arguments, input=given)


@pytest.fixture
def program(deployment: Deployment) -> Program:
    return Program(deployment.environment)


@pytest.fixture
def run() -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """The program as a process of its own."""

    def run(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BILLING_")}
        environment |= {f"BILLING_{name}": value for name, value in settings.items()}
        command = [sys.executable, "-m", "worker", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)

    return run
