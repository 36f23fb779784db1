"""An earlier release, taken from the history."""

import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMITS_MAX = 10
"""How far back to look: releases that work side by side are neighbours."""

PARTS = ("worker", "schemas", "migrations", "alembic.ini", "pyproject.toml")


def earlier_release(directory: Path, settings: Mapping[str, str]) -> Path | None:
    """Put into a directory the oldest release near by that goes with the present database and settings.

    Returns where it lies, or None where there is none, as in a checkout without history.
    """
    for commit in reversed(_git("rev-list", f"--max-count={COMMITS_MAX}", "HEAD").decode().split()):
        if _is_changed_since(commit, "migrations") or not _is_changed_since(commit, "worker"):
            continue
        release = directory / commit[:12]
        with tarfile.open(fileobj=BytesIO(_git("archive", commit, *PARTS))) as files:
            files.extractall(release, filter="data")
        reads = [sys.executable, "-c", "from worker.settings import load; load()"]
        if subprocess.run(reads, cwd=release, env=os.environ | settings, capture_output=True, check=False).returncode:
            continue
        return release
    return None


def _is_changed_since(commit: str, folder: str) -> bool:
    """Whether what lies in a folder now is not what lay there then."""
    untracked = _git("ls-files", "--others", "--exclude-standard", folder)
    return bool(untracked) or bool(_git("diff", "--name-only", commit, "--", folder))


def _git(*arguments: str) -> bytes:
    """What it says; nothing where it has nothing to say."""
    try:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return b""
