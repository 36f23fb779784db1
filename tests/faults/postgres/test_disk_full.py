"""A disk without room: for data, which fails statements, and for the log, which ends the whole server."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from tests.faults.postgres.disks import CannotMountError, Disk, small_disk
from tests.faults.postgres.scenario import faults, says_no_until_then, says_why
from tests.faults.postgres.servers import ask, superuser_url
from tests.system.deployment import Deployment
from tests.system.provision import PARTITIONS
from tests.system.settling import until
from worker.embedded import Postgres

HEAL_SECONDS = 30
DATA_MEBIBYTES = 96
LOG_MEBIBYTES = 128


@pytest.fixture(scope="module")
def server_settings() -> dict[str, str]:
    """Less log than its disk takes."""
    return {"max_wal_size": "64MB", "min_wal_size": "32MB"}


@pytest.fixture
async def small_data(server: Postgres) -> AsyncIterator[Disk]:
    """A small disk with a tablespace on it."""
    with mounted(server, DATA_MEBIBYTES) as disk:
        tables = disk.path / "tables"
        tables.mkdir(mode=0o700)
        shutil.chown(tables, server.data.owner(), server.data.group())
        await ask(superuser_url(server), f"CREATE TABLESPACE small LOCATION '{tables}'")
        yield disk
        await ask(superuser_url(server), "DROP TABLESPACE small")


@pytest.fixture
def small_log(server: Postgres) -> Iterator[Disk]:
    """A small disk for what the server writes ahead."""
    with mounted(server, LOG_MEBIBYTES) as disk:
        inside, outside = server.data / "pg_wal", disk.path / "pg_wal"
        server.stop()
        move(inside, outside)
        inside.symlink_to(outside)
        server.start()
        yield disk
        server.stop()
        inside.unlink()
        move(outside, inside)
        server.start()


@contextmanager
def mounted(server: Postgres, mebibytes: int) -> Iterator[Disk]:
    try:
        with small_disk(mebibytes, server.data.stat()) as disk:
            yield disk
    except CannotMountError as error:
        pytest.skip(f"no small disk: {error}")


def move(source: Path, target: Path) -> None:
    """To another disk, everything with its owner."""
    subprocess.run(["cp", "-a", source, target], check=True)
    shutil.rmtree(source)


async def test_a_full_disk_is_named_and_work_goes_on_when_there_is_room(
    server: Postgres, small_data: Disk, deployment: Deployment, runtime_url: str
) -> None:
    database = make_url(deployment.settings.database.url).database
    await ask(superuser_url(server), f"ALTER DATABASE {database} SET TABLESPACE small")
    with deployment.worker(DATABASE__URL=runtime_url, LANES__BACKOFF_SECONDS_MAX="1") as worker:
        async with faults(deployment, worker, heals_in_seconds=HEAL_SECONDS):
            small_data.fill()
            await says_why(worker, "No space left on device", count=PARTITIONS)
            await says_no_until_then(worker)
            small_data.empty()


@pytest.mark.slow
async def test_a_disk_that_is_full_of_log_ends_the_server_and_work_goes_on_when_it_is_back(
    server: Postgres, small_log: Disk, deployment: Deployment, runtime_url: str
) -> None:
    with deployment.worker(DATABASE__URL=runtime_url, LANES__BACKOFF_SECONDS_MAX="1") as worker:
        async with faults(deployment, worker, heals_in_seconds=HEAL_SECONDS):
            small_log.fill()
            await until(lambda: is_gone(server), "the server has ended for want of room for its log")
            await says_why(worker, "onnect|the database system is", count=PARTITIONS)
            small_log.empty()
            await asyncio.to_thread(server.start)


async def is_gone(server: Postgres) -> bool:
    """Uses up what is left of the log."""
    with suppress(DBAPIError, OSError):
        await ask(superuser_url(server), "SELECT pg_switch_wal()")
    return not server.running
