"""Small disks, to be filled: file systems in memory, which only root may mount."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

CHUNK = bytes(64 * 1024)


@dataclass(frozen=True)
class Disk:
    """Where it is mounted."""

    path: Path

    def fill(self) -> None:
        """Leave not a page."""
        with (self.path / "ballast").open("ab", buffering=0) as ballast:
            for chunk in (CHUNK, CHUNK[:512]):
                with suppress(OSError):
                    while ballast.write(chunk):
                        pass

    def empty(self) -> None:
        """Make room again."""
        (self.path / "ballast").unlink(missing_ok=True)


class CannotMountError(Exception):
    """This user, or this machine, mounts nothing."""


@contextmanager
def small_disk(mebibytes: int, owner: os.stat_result) -> Iterator[Disk]:
    """A disk for as long as the block lasts, where everybody may pass. Raises CannotMountError."""
    options = f"size={mebibytes}m,mode=0700,uid={owner.st_uid},gid={owner.st_gid}"
    with tempfile.TemporaryDirectory() as above:
        Path(above).chmod(0o755)
        path = Path(above) / "disk"
        path.mkdir()
        try:
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise CannotMountError(error) from error
        try:
            yield Disk(path)
        finally:
            subprocess.run(["umount", "--lazy", path], check=True)
