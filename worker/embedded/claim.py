import fcntl
import os
import time
from pathlib import Path

import psutil

from worker.embedded.errors import EmbeddedError

STOPPING_SECONDS_MAX = 30.0


class Claim:
    """A directory taken for one server by one process, through a file lock.

    The keepers inherit the lock. So after a crash of the worker the directory stays taken for the seconds in which its
    servers are still stopping, and a new start waits for them.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self.fd = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._take()
        except BaseException:
            os.close(self.fd)
            raise

    def _take(self) -> None:
        deadline = time.monotonic() + STOPPING_SECONDS_MAX
        while True:
            try:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = int(os.pread(self.fd, 20, 0) or 0)
                if time.monotonic() < deadline and not psutil.pid_exists(holder):
                    time.sleep(0.05)
                    continue
                raise EmbeddedError(
                    f"{self._directory} is in use by process {holder}",
                    remedy="Stop that process first, or choose another directory",
                ) from None
            os.ftruncate(self.fd, 0)
            os.pwrite(self.fd, str(os.getpid()).encode(), 0)
            return

    def release(self) -> None:
        """Let go of it; keepers that still run hold on to it."""
        os.close(self.fd)
