"""A worker that is broken on purpose: a copy of the package in which a few lines say something else."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
BESIDE = ("schemas", "migrations", "alembic.ini")
"""What the package looks for beside itself."""


class Patch(NamedTuple):
    """In a module of the package, these lines for those. What is replaced must be there exactly once."""

    module: str
    true: str
    wrong: str


class Stale(AssertionError):  # noqa: N818 - what the patch is
    """The worker has changed and a patch has not: it no longer breaks what its name says."""


def patched(directory: Path, patches: Sequence[Patch]) -> Path:
    """A copy of the worker with these patches, to be run from its directory. Raises Stale."""
    shutil.copytree(ROOT / "worker", directory / "worker", ignore=shutil.ignore_patterns("__pycache__"))
    for name in BESIDE:
        (directory / name).symlink_to(ROOT / name)
    for patch in patches:
        module = directory / "worker" / patch.module
        text = module.read_text("utf-8")
        if (times := text.count(patch.true)) != 1:
            raise Stale(f"{times} times in {patch.module}:\n{patch.true}")
        module.write_text(text.replace(patch.true, patch.wrong), "utf-8")
    return directory
