"""The program as an operator runs it."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping

from tests.system.deployment import Deployment

SECONDS_MAX = 240


async def program(
    deployment: Deployment,
    *arguments: str,
    exits: int = 0,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run it to its end, which must be this exit code."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "worker", *arguments],
        env=os.environ | deployment.environment | dict(environment or {}),
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == exits, f"{arguments} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done
