"""The hook that compiles: off unless asked for, and clear about what it lacks or does not take."""

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from zipfile import ZipFile

import pytest

from hatch_build import modules_of, what_is_missing
from tests.compiled.builds import BUILD_SECONDS_MAX, ROOT

pytestmark = pytest.mark.timeout(BUILD_SECONDS_MAX)

ON = {"HATCH_BUILD_HOOKS_ENABLE": "1"}
NEEDED = ("worker", "schemas", "migrations", "pyproject.toml", "hatch_build.py", "README.md", "LICENSE")


def build(
    target: str, into: Path, environment: Mapping[str, str] = {}, project: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HATCH_")}
    return subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(into)],
        cwd=project,
        env=kept | dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BUILD_SECONDS_MAX,
        check=False,
    )


def test_a_wheel_is_plain_python_unless_more_is_asked_for(tmp_path: Path) -> None:
    done = build("wheel", tmp_path, {"CC": "no-such-compiler"})
    (wheel,) = tmp_path.iterdir()

    assert done.returncode == 0, done.stdout
    assert wheel.name.endswith("-py3-none-any.whl")
    assert [name for name in ZipFile(wheel).namelist() if name.endswith(tuple(EXTENSION_SUFFIXES))] == []


def test_a_source_distribution_can_be_compiled(tmp_path: Path) -> None:
    done = build("sdist", tmp_path)
    (archive,) = tmp_path.iterdir()

    assert done.returncode == 0, done.stdout
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    assert {"hatch_build.py", "pyproject.toml", "worker/domain/decide.py", "migrations/env.py"} <= names


def test_without_a_compiler_it_says_what_to_install(tmp_path: Path) -> None:
    done = build("wheel", tmp_path, {"CC": "no-such-compiler -pipe", **ON})

    assert done.returncode != 0
    assert done.stdout.startswith(
        "A compiled build needs a C compiler (no-such-compiler) and Python's headers: install "
    )
    assert "Traceback" not in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_what_the_compiler_does_not_take_is_told_in_its_own_words(tmp_path: Path) -> None:
    if missing := what_is_missing():
        pytest.skip(missing)
    project = tmp_path / "project"
    project.mkdir()
    for name in NEEDED:
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, project / name)
    with (project / "worker/domain/counts.py").open("a") as module:
        module.write('\n\nclass Number(int):\n    """A builtin, inherited."""\n')

    done = build("wheel", tmp_path / "dist", ON, project)

    assert done.returncode != 0
    assert "worker/domain/counts.py" in done.stdout
    assert "Inheriting from most builtin types is unimplemented" in done.stdout
    assert done.stdout.endswith("The modules were not compiled.\n")
    assert list(project.rglob("*.so")) == []


def test_a_pattern_that_matches_nothing_is_named() -> None:
    with pytest.raises(SystemExit, match=r"worker/lane/decided\.py: no module has such a name"):
        modules_of(ROOT, {"include": ["worker/domain/decide.py", "worker/lane/decided.py"], "exclude": []})


def test_what_is_excluded_is_not_compiled() -> None:
    config = {"include": ["worker/lane/d[eu]*.py"], "exclude": ["worker/lane/due.py"]}

    assert modules_of(ROOT, config) == ["worker/lane/deciding.py"]
