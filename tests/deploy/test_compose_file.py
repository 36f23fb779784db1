"""What compose.yaml says, read without an engine."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "WORKER_IMAGE" in service["image"]]
MONITORING = ("prometheus", "grafana")


def test_what_watches_is_started_only_when_asked_for() -> None:
    assert {name for name, service in SERVICES.items() if service.get("profiles")} == set(MONITORING)
    assert all(SERVICES[name]["profiles"] == ["monitoring"] for name in MONITORING)


@pytest.mark.parametrize("name", SERVICES)
def test_every_port_is_this_machines_alone_and_may_be_chosen(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z0-9_]+_PORT:-\d+\}:\d+", port)


@pytest.mark.parametrize("name", OURS)
def test_our_own_containers_write_nothing_and_may_nothing(name: str) -> None:
    service = SERVICES[name]

    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", MONITORING)
def test_what_is_mounted_is_in_the_project_and_cannot_be_changed(name: str) -> None:
    files = [volume.split(":") for volume in SERVICES[name]["volumes"] if volume.startswith("./")]

    assert files
    for source, _, mode in files:
        assert (ROOT / source).exists(), source
        assert mode == "ro"


def test_every_volume_is_declared() -> None:
    named = {
        volume.partition(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if not volume.startswith("./")
    }

    assert named == set(COMPOSE["volumes"])


def test_every_worker_is_scraped() -> None:
    config = yaml.safe_load((ROOT / "deploy/compose/prometheus.yml").read_text("utf-8"))
    targets = {
        target for job in config["scrape_configs"] for each in job["static_configs"] for target in each["targets"]
    }
    workers = {name for name in OURS if SERVICES[name]["command"] == ["run"]}

    assert targets == {f"{name}:8080" for name in workers}
    assert len(workers) == 2


def test_the_board_lies_where_grafana_looks_for_it_and_asks_the_prometheus_that_is_started() -> None:
    provisioning = ROOT / "deploy/grafana/provisioning"
    (provider,) = yaml.safe_load((provisioning / "dashboards/billing-worker.yaml").read_text("utf-8"))["providers"]
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yaml").read_text("utf-8"))["datasources"]
    boards = [volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"] if ".json" in volume]

    assert [Path(board).parent.as_posix() for board in boards] == [provider["options"]["path"]]
    assert source["url"] == "http://prometheus:9090"
