"""A deployment's database as its server's owner handles it: dropped, made anew, backed up while in use, restored."""

import asyncio
import os
import subprocess
from pathlib import Path

from sqlalchemy.engine import make_url

from tests.system.provision import say
from tests.system.stacks import Addresses
from worker.embedded.postgres_programs import programs


async def drop(stack: Addresses, url: str) -> None:
    """Gone, whoever is connected."""
    await say(stack.database_url, f"DROP DATABASE {make_url(url).database} WITH (FORCE)")


async def make(stack: Addresses, url: str) -> None:
    """There again, with nothing in it."""
    await say(stack.database_url, f"CREATE DATABASE {make_url(url).database}")


async def back_up(url: str, file: Path) -> None:
    """As everybody does it, beside whoever uses it."""
    await _run("pg_dump", url, "--format=custom", f"--file={file}")


async def restore(stack: Addresses, url: str, file: Path) -> None:
    """What the backup holds, in the place of what there was since."""
    await drop(stack, url)
    await make(stack, url)
    await _run("pg_restore", url, "--exit-on-error", str(file))


async def _run(program: str, url: str, *arguments: str) -> None:
    of = make_url(url)
    where = {"PGHOST": of.host, "PGPORT": str(of.port), "PGUSER": of.username, "PGPASSWORD": str(of.password)}
    command = [str(programs() / program), f"--dbname={of.database}", *arguments]
    environment = os.environ | {name: value for name, value in where.items() if value is not None}
    done = await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
