"""The two builds of the worker, this tree and what `make compiled` makes of it, and programs that run on either."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

from hatch_build import modules_of

ROOT: Final = Path(__file__).parents[2]
BUILD_SECONDS_MAX: Final = 600
SECONDS_MAX: Final = 600

_TARGET: Final = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]
MODULES: Final = modules_of(ROOT, _TARGET["wheel"]["hooks"]["custom"])
"""The compiled ones, as paths from the root."""


def make_compiled(into: Path) -> None:
    """Bring a compiled build up to date by the Makefile's own rule, for the Python that runs this."""
    done = subprocess.run(
        ["make", "--old-file=.venv/ready", "compiled", f"BIN={sys.prefix}/bin", f"COMPILED={into}"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BUILD_SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def run_on(build: Path, module: str, *arguments: str) -> str:
    """What a program writes that runs on the tree or on a compiled build, and surely on that."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.compiled.only_on", str(build), module, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{build}{os.pathsep}{ROOT}", "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-8_000:]
    return done.stdout
