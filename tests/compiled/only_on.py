"""Runs a program on one build of the worker or not at all: `python -P -m tests.compiled.only_on DIRECTORY MODULE`."""

import runpy
import sys
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES
from pathlib import Path

from tests.compiled.builds import MODULES, ROOT


def check(build: Path) -> None:
    """End the program unless every module comes from there, compiled there and nowhere else."""
    suffixes = tuple(SOURCE_SUFFIXES if build == ROOT else EXTENSION_SUFFIXES)
    for module in MODULES:
        file = import_module(module.removesuffix(".py").replace("/", ".")).__file__ or ""
        if not (Path(file).is_relative_to(build) and file.endswith(suffixes)):
            sys.exit(f"{module} comes from {file}")


if __name__ == "__main__":
    check(Path(sys.argv[1]))
    del sys.argv[:2]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
