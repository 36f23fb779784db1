import asyncio
import os
import pwd
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.embedded.conversation import ask, publish, published
from worker.embedded import EmbeddedError, Stack
from worker.embedded.jars import cache
from worker.embedded.kept import Kept, Program, User

STARTER = """
import sys, time
from pathlib import Path
from worker.embedded import Stack

stack = Stack(Path(sys.argv[1]))
stack.start()
print(stack.kafka.pid, stack.postgres.pid, flush=True)
time.sleep(float(sys.argv[2]))
stack.stop()
"""


def gone(pids: Iterable[int], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while any(psutil.pid_exists(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def home_of_nobody() -> Iterator[Path]:
    """Not below `tmp_path`, which only its owner may enter."""
    with tempfile.TemporaryDirectory() as directory:
        os.chown(directory, pwd.getpwnam("nobody").pw_uid, -1)
        yield Path(directory)


async def test_killed_servers_come_back_where_they_were_with_what_they_had(stack: Stack) -> None:
    addresses = stack.addresses
    await publish(stack.kafka, b"acknowledged")
    await ask(stack.postgres, "CREATE TABLE acknowledged ()")

    stack.kafka.kill()
    stack.postgres.kill()
    stack.postgres.start()
    stack.kafka.start()

    assert stack.addresses == addresses
    assert await published(stack.kafka) == [b"acknowledged"]
    assert await ask(stack.postgres, "SELECT to_regclass('acknowledged')::text") == "acknowledged"


async def test_a_paused_server_says_nothing_until_it_is_resumed(stack: Stack) -> None:
    stack.postgres.pause()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await ask(stack.postgres, "SELECT 1")
    stack.postgres.resume()

    assert await ask(stack.postgres, "SELECT 1") == 1


def test_killing_the_worker_leaves_nothing_running(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, tmp_path, "600"], stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout
        servers = [int(pid) for pid in worker.stdout.readline().split()]
        keepers = [child.pid for child in psutil.Process(worker.pid).children()]

        with pytest.raises(EmbeddedError, match=f"in use by process {worker.pid}"):
            Stack(tmp_path).start()
        worker.send_signal(signal.SIGKILL)

        assert len(servers) == len(keepers) == 2
        assert gone([*servers, *keepers], seconds=10)


def test_servers_left_alone_by_a_crash_of_everything_else_are_replaced(tmp_path: Path) -> None:
    before = Stack(tmp_path)
    before.start()
    orphans = [before.kafka.pid, before.postgres.pid]
    for pid in orphans:
        keeper = psutil.Process(pid).parent()
        assert keeper
        keeper.kill()
    before.stop()
    assert all(psutil.pid_exists(pid) for pid in orphans)

    with Stack(tmp_path) as after:
        assert not set(orphans) & {after.kafka.pid, after.postgres.pid}
        assert gone(orphans, seconds=1)


@pytest.mark.skipif(os.geteuid() != 0, reason="every other test shows it")
def test_an_ordinary_user_can_start_it_too(tmp_path: Path, home_of_nobody: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    log = tmp_path / "said"
    worker = Program(
        [sys.executable, "-c", STARTER, str(home_of_nobody), "0"],
        {**os.environ, "XDG_CACHE_HOME": str(cache().parent.parent)},
        user=User(nobody.pw_uid, nobody.pw_gid, roams=True),  # the interpreter may lie in root's home
    )

    with log.open("w") as lock:
        assert Kept(worker, log=log, lock=lock.fileno()).wait(60) == 0, log.read_text()

    assert (home_of_nobody / "kafka" / "data").stat().st_uid == nobody.pw_uid
