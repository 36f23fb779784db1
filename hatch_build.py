"""The compiled build: the modules that pyproject.toml names go into the wheel as machine code too, made by mypyc.

Off by default, and a wheel without it is pure Python. HATCH_BUILD_HOOKS_ENABLE=1 turns it on. Everything is done on a
copy in a temporary directory; the tree stays as it is.
"""

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHARED_LIBRARY = "billing_worker"
"""All modules are one library, `billing_worker__mypyc`, so that calls between them are calls of C."""


class Compiled(BuildHookInterface[BuilderConfig]):
    """Compiles the modules of the hook's configuration and adds the libraries to the wheel."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._scratch = TemporaryDirectory(prefix="compiled-")

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say to the wheel what it holds and whom it is for. An editable install stays Python."""
        if version == "editable":
            return
        if missing := what_is_missing():
            raise SystemExit(missing)
        libraries = self._compile(modules_of(Path(self.root), self.config))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["force_include"].update({str(path): name for name, path in libraries.items()})

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Forget the copy."""
        self._scratch.cleanup()

    def _compile(self, modules: list[str]) -> dict[str, Path]:
        """The libraries by their place in the wheel."""
        scratch = Path(self._scratch.name)
        for package in self.build_config.packages:
            shutil.copytree(Path(self.root, package), scratch / package, ignore=shutil.ignore_patterns("__pycache__"))
        pyproject = Path(self.root, "pyproject.toml")
        done = subprocess.run(  # noqa: S603 - ourselves
            [sys.executable, "-P", __file__, str(pyproject), *modules],
            cwd=scratch,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        built = scratch / "built"
        libraries = {path.relative_to(built).as_posix(): path for path in built.rglob("*") if path.is_file()}
        if done.returncode != 0 or len(libraries) != len(modules) + 1:
            raise SystemExit(f"{done.stdout}\nThe modules were not compiled.")
        return libraries


def modules_of(root: Path, config: Mapping[str, Any]) -> list[str]:
    """What `include` matches less what `exclude` does: paths from the root, in one order on every machine."""

    def matching(pattern: str) -> list[str]:
        names = [path.relative_to(root).as_posix() for path in root.glob(pattern)]
        if not names:
            raise SystemExit(f"To be compiled, or not to be, is {pattern}: no module has such a name.")
        return names

    excluded = {name for pattern in config["exclude"] for name in matching(pattern)}
    return sorted({name for pattern in config["include"] for name in matching(pattern)} - excluded)


def what_is_missing() -> str | None:
    """What to install before anything can be compiled; None if all is there."""
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
    if shutil.which(compiler) and Path(sysconfig.get_path("include"), "Python.h").is_file():
        return None
    return (
        f"A compiled build needs a C compiler ({compiler}) and Python's headers: install gcc and python3-dev, "
        "or what your system calls them."
    )


def compile_here(pyproject: str, modules: list[str]) -> None:
    """Compile modules of the packages in the working directory into `built`, under the project's rules of types."""
    from mypyc.build import mypycify  # noqa: PLC0415 - only who compiles has it
    from setuptools import setup  # noqa: PLC0415

    # One library, but put together as if there were more of them: whoever sees all classes at once takes those of our
    # decorator `value` for classes without __eq__, and compares them by identity.
    extensions = mypycify(
        ["--config-file", pyproject, *modules],
        opt_level="3",
        debug_level="0",
        separate=[(modules, SHARED_LIBRARY)],
        target_dir="generated",
    )
    setup(
        name=SHARED_LIBRARY,
        packages=[],
        ext_modules=extensions,
        script_args=["build_ext", "--build-lib", "built", "--build-temp", "objects"],
    )


if __name__ == "__main__":
    compile_here(sys.argv[1], sys.argv[2:])
