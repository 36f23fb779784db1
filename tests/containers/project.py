"""compose.yaml as a project of a test's own: own name, own ports, own image, gone when the block ends."""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from uuid import uuid4

from sqlalchemy import make_url

ROOT = Path(__file__).resolve().parents[2]
LOOPBACK = "127.0.0.1"
WORKERS = ("worker-1", "worker-2")
PORTS = ("KAFKA_PORT", "POSTGRES_PORT", "WORKER_1_PORT", "WORKER_2_PORT")
BUILD_SECONDS_MAX = 900
COMMAND_SECONDS_MAX = 120
READY_SECONDS_MAX = 90


def reason_to_skip() -> str | None:
    """Why containers are not to be tested here; None if they are."""
    if os.environ.get("BILLING_STACK") != "containers":
        return "asked for by BILLING_STACK=containers alone"
    if not _succeeds("docker", "info"):
        return "no container engine answers"
    return None if _compose() else "neither `docker compose` nor docker-compose is installed"


@dataclass(frozen=True)
class Project:
    """A running compose project."""

    name: str
    environment: dict[str, str]

    def compose(self, *arguments: str, said: str = "", seconds: float = COMMAND_SECONDS_MAX) -> str:
        """What a compose command wrote to stdout; AssertionError with everything it wrote if it fails."""
        done = subprocess.run(
            [*_compose(), "--project-name", self.name, *arguments],
            cwd=ROOT,
            env=os.environ | self.environment,
            input=said,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"compose {' '.join(arguments)}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
        return done.stdout

    def billing_worker(self, service: str, *arguments: str, said: str = "") -> list[dict[str, Any]]:
        """The JSON lines that the program writes in a service's container."""
        written = self.compose("exec", "-T", service, "billing-worker", *arguments, "--json", said=said)
        return [json.loads(line) for line in written.splitlines()]

    def publish(self, service: str, *commands: dict[str, object]) -> list[str]:
        """The outcome of each command, published in a service's container, in the order of their results."""
        lines = "".join(json.dumps(command) + "\n" for command in commands)
        return [answer["outcome"] for answer in self.billing_worker(service, "publish", "-", "--wait", said=lines)]

    def payer(self, service: str, organization: str, project: str) -> object:
        """Who pays for a project now, asked in a service's container."""
        (answer,) = self.billing_worker(service, "payer", organization, project)
        return answer["account"]

    def state(self, service: str) -> dict[str, Any]:
        """What the engine says about a service's container."""
        identity = self.compose("ps", "--all", "-q", service).strip()
        (found,) = json.loads(_run("docker", "inspect", identity))
        state: dict[str, Any] = found["State"]
        return state

    def settings_on_the_host(self) -> dict[str, str]:
        """The settings by which this machine reaches Kafka, and PostgreSQL in the role that the workers have."""
        worker_url = make_url(self.compose("exec", "-T", WORKERS[0], "printenv", "BILLING_DATABASE__URL").strip())
        url = worker_url.set(host=LOOPBACK, port=int(self.environment["POSTGRES_PORT"]))
        return {
            "BILLING_KAFKA__BOOTSTRAP_SERVERS": f"{LOOPBACK}:{self.environment['KAFKA_PORT']}",
            "BILLING_DATABASE__URL": url.render_as_string(hide_password=False),
        }

    def start(self, *options: str, seconds: float = COMMAND_SECONDS_MAX) -> None:
        """Everything, and wait until both workers do all of their work."""
        self.compose("up", "-d", *options, seconds=seconds)
        for worker in WORKERS:
            self.wait_ready(worker)

    def wait_ready(self, worker: str) -> None:
        """Wait until a worker says over HTTP that it does all of its work."""
        port = self.environment[f"{worker.upper().replace('-', '_')}_PORT"]

        def is_ready() -> bool:
            with suppress(OSError, HTTPException), urlopen(f"http://{LOOPBACK}:{port}/readyz", timeout=5):
                return True
            return False

        self._wait(worker, is_ready)

    def wait_healthy(self, worker: str) -> None:
        """Wait until the engine has asked a worker's container and found it alive."""
        self._wait(worker, lambda: self.state(worker)["Health"]["Status"] == "healthy")

    def _wait(self, worker: str, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_SECONDS_MAX
        while not is_so():
            assert time.monotonic() < deadline, self.compose("logs", worker)[-4000:]
            time.sleep(0.2)


@contextmanager
def running_project() -> Iterator[Project]:
    """Everything built and started, both workers ready. Containers, volumes, networks and the image go with it."""
    name = f"billing-test-{uuid4().hex[:8]}"
    project = Project(name, {"WORKER_IMAGE": name, **_free_ports()})
    try:
        project.start("--build", seconds=BUILD_SECONDS_MAX)
        yield project
    finally:
        project.compose("down", "--volumes", "--remove-orphans")
        _succeeds("docker", "image", "rm", name)


def _compose() -> list[str]:
    if _succeeds("docker", "compose", "version"):
        return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else []


def _free_ports() -> dict[str, str]:
    with ExitStack() as probes:
        found = {}
        for name in PORTS:
            probe = probes.enter_context(socket.socket())
            probe.bind((LOOPBACK, 0))
            found[name] = str(probe.getsockname()[1])
        return found


def _succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=COMMAND_SECONDS_MAX, check=False).returncode == 0
    except FileNotFoundError:
        return False


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_SECONDS_MAX, check=True).stdout
