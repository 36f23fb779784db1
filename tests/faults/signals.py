"""Processes that are stopped and continued."""

import asyncio
from pathlib import Path

from tests.system.settling import until


async def stopped(pid: int, seconds: float = 60) -> None:
    """Wait until a process is stopped, every thread of it."""

    async def is_stopped() -> bool:
        stat = await asyncio.to_thread(Path(f"/proc/{pid}/stat").read_text)
        return stat.rpartition(")")[2].split()[0] == "T"

    await until(is_stopped, f"process {pid} is stopped", seconds)
