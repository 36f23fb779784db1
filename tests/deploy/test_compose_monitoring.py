"""The profile of compose.yaml that watches, started with the engine at hand."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.containers.project import COMMAND_SECONDS_MAX, LOOPBACK, WORKERS, Project, reason_to_skip, running_project
from worker.embedded.ports import remembered

pytestmark = [pytest.mark.ops, pytest.mark.slow, pytest.mark.timeout(1_200)]

COMPOSE = (Path(__file__).parents[2] / "compose.yaml").read_text("utf-8")
SEEN_SECONDS_MAX = 90
PROFILE = ("--profile", "monitoring")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    if reason := reason_to_skip():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("ports")
    with running_project() as running:
        for name in ("PROMETHEUS_PORT", "GRAFANA_PORT"):
            running.environment[name] = str(remembered(folder / name))
        try:
            yield running
        finally:
            running.compose(*PROFILE, "down", "--volumes")


def start(project: Project, service: str) -> str:
    """Start one of those that watch, and say where it is; skip where its image is not to be had."""
    found = re.search(rf"image: \${{{service.upper()}_IMAGE:-(.*)}}", COMPOSE)
    assert found
    for way in ("inspect", "pull"):
        command = ["docker", "image", way, found[1]]
        if not subprocess.run(command, capture_output=True, timeout=COMMAND_SECONDS_MAX, check=False).returncode:
            break
    else:
        pytest.skip(f"{found[1]} is neither here nor to be had")
    project.compose(*PROFILE, "up", "-d", "--no-deps", service)
    return f"http://{LOOPBACK}:{project.environment[f'{service.upper()}_PORT']}"


def ask(address: str) -> Any:
    """What it answers, in JSON; None while there is no answer."""
    with suppress(OSError), urlopen(address, timeout=5) as answer:  # noqa: S310
        return json.load(answer)
    return None


def test_the_engine_understands_the_whole_file_and_starts_what_watches_only_when_asked(project: Project) -> None:
    services = project.compose(*PROFILE, "config", "--services").split()

    assert {"prometheus", "grafana", *WORKERS} <= set(services)
    assert [project.compose(*PROFILE, "ps", "-q", name).strip() for name in ("prometheus", "grafana")] == ["", ""]


def test_prometheus_finds_both_workers_and_evaluates_the_rules(project: Project) -> None:
    address = start(project, "prometheus")
    deadline = time.monotonic() + SEEN_SECONDS_MAX
    health: dict[str, str] = {}
    while set(health.values()) != {"up"}:
        assert time.monotonic() < deadline, (health, project.compose(*PROFILE, "logs", "prometheus")[-4000:])
        time.sleep(1)
        targets = (ask(f"{address}/api/v1/targets") or {"data": {"activeTargets": []}})["data"]["activeTargets"]
        health = {target["labels"]["instance"]: target["health"] for target in targets}

    assert set(health) == {f"{worker}:8080" for worker in WORKERS}
    (group,) = ask(f"{address}/api/v1/rules")["data"]["groups"]
    assert "BillingLaneStopped" in {rule["name"] for rule in group["rules"]}


def test_grafana_shows_the_board_to_whoever_reaches_it(project: Project) -> None:
    address = start(project, "grafana")
    deadline = time.monotonic() + SEEN_SECONDS_MAX
    while (found := ask(f"{address}/api/dashboards/uid/billing-worker")) is None:
        assert time.monotonic() < deadline, project.compose(*PROFILE, "logs", "grafana")[-4000:]
        time.sleep(1)

    assert found["dashboard"]["title"] == "Billing worker"
    assert found["meta"]["provisioned"] is True
