"""Alerts that real faults fire in a real Prometheus, and the runbook, typed as it stands, which ends them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.faults.kafka.asking import asking
from tests.faults.kafka.lanes import ORGANIZATIONS, binds, publish_to_all
from tests.faults.kafka.test_positions import cut_log_before
from tests.faults.kafka.trial import end, ready
from tests.ops.prometheus import Prometheus, impatient, needs_prometheus, prometheus
from tests.ops.test_board import ONLY_WHEN_IT_FIRES, queries
from tests.recovery.drills.page import PROGRAM, command_of, spans
from tests.recovery.programs import program
from tests.system.deployment import Deployment, WorkerProcess
from tests.system.provision import PARTITIONS, own_database, own_deployment
from tests.system.settling import until
from tests.system.stacks import Addresses
from worker.embedded.ports import LOOPBACK, remembered

pytestmark = [pytest.mark.ops, pytest.mark.slow, pytest.mark.timeout(600), needs_prometheus]

ROOT = Path(__file__).parents[2]
SETTLES_SECONDS = 120


async def test_a_lane_that_stops_fires_its_alert_and_what_the_runbook_says_ends_it(
    deployment: Deployment, tmp_path: Path
) -> None:
    address = f"{LOOPBACK}:{remembered(tmp_path / 'http-port')}"
    port = {"HTTP__PORT": address.rpartition(":")[2]}
    with prometheus(tmp_path, address) as asked:
        with deployment.worker(**port) as worker:
            await ready(worker)
            await publish_to_all(deployment, 0, 10)
            await deployment.answers()
            await ready(worker)
            await end(worker)
        position = (await lane_0(deployment))["logEnd"]
        await deployment.publish(ORGANIZATIONS[0], *binds(ORGANIZATIONS[0], 10, 20))
        await cut_log_before(deployment, position + 5)

        with deployment.worker(**port) as worker:
            alert = await fired(asked, "BillingLaneStopped")
            assert (alert["labels"]["lane"], alert["labels"]["reason"]) == ("0", "commands_gone")
            assert alert["annotations"]["summary"] == "Lane 0 has stopped: commands_gone."
            assert asked.values(queries()["Lanes that stopped A"]) == [1]
            assert asked.values(queries()[f"{ONLY_WHEN_IT_FIRES} A"])
            await end(worker)

        sentence = (await lane_0(deployment))["stopped"]
        typed = remedies(section_of(alert["annotations"]["runbook_url"]), sentence)
        assert typed == ["topics declare --lane N --skip-to-start"]
        for remedy in typed:
            words = command_of(remedy, {"N": "0"})
            await program(deployment, *words)
            await program(deployment, *words, "--yes", "--as", "ada")

        with deployment.worker(**port) as worker:
            await ready(worker)
            await over(asked, "BillingLaneStopped")
            lane = await lane_0(deployment)
            assert (lane["stopped"], lane["position"] >= position + 10) == (None, True)


async def test_a_worker_without_tables_and_topics_fires_an_alert_and_what_the_runbook_says_makes_it_ready(
    stack: Addresses, tmp_path: Path
) -> None:
    address = f"{LOOPBACK}:{remembered(tmp_path / 'http-port')}"
    async with own_database(stack, None) as url, own_deployment(stack, url) as deployment:
        async with asking(deployment) as admin:
            await admin.delete_topics([deployment.settings.topics.commands])
        with (
            prometheus(tmp_path, address, impatient(tmp_path)) as asked,
            deployment.worker(HTTP__PORT=address.rpartition(":")[2]) as worker,
        ):
            alert = await fired(asked, "BillingWorkerNotReady")
            assert alert["labels"]["instance"] == address

            section = section_of(alert["annotations"]["runbook_url"])
            offered = [span for span in spans(section) if span.startswith(f"{PROGRAM} ")]
            typed: set[str] = set()
            while len(typed) < len(offered):
                remedy = await asked_for(worker, set(offered) - typed)
                await program(deployment, *command_of(remedy, {}))
                typed.add(remedy)

            await ready(worker)
            await over(asked, "BillingWorkerNotReady")
            assert asked.values("billing_ready") == [1]


async def asked_for(worker: WorkerProcess, remedies: set[str]) -> str:
    """Wait until readiness names one of these commands."""
    named: set[str] = set()

    async def is_named() -> bool:
        _, waiting_for = worker.readiness()
        named.update(remedy for remedy in remedies if f"`{remedy}`" in "; ".join(waiting_for.values()))
        return bool(named)

    await until(is_named, f"readiness asks for one of {remedies}")
    (remedy,) = named
    return remedy


async def fired(asked: Prometheus, alert: str) -> dict[str, Any]:
    """The one alert of this name, once it fires."""

    async def it_fires() -> bool:
        return len(asked.fires(alert)) == 1

    await until(it_fires, f"{alert} fires", SETTLES_SECONDS)
    (found,) = asked.fires(alert)
    return found


async def over(asked: Prometheus, alert: str) -> None:
    """Wait until it does not fire any more, and all lanes run."""

    async def is_over() -> bool:
        return not asked.fires(alert) and asked.values('count(billing_lane_state{state="running"})') == [PARTITIONS]

    await until(is_over, f"{alert} is over", SETTLES_SECONDS)


def section_of(runbook_url: str) -> str:
    """What whoever was woken finds behind the alert's link."""
    name, _, anchor = runbook_url.partition("#")
    page = (ROOT / name).read_text("utf-8")
    (section,) = [part for part in page.split("\n## ") if part.partition("\n")[0].lower() == anchor]
    return section


def remedies(section: str, sentence: str) -> list[str]:
    """What to type: in the row for this sentence of the table that the section links to."""
    (link,) = re.findall(r"\[A lane has stopped\]\((\w+\.md)#a-lane-has-stopped\)", section)
    for row in (ROOT / "docs" / link).read_text("utf-8").partition("## A lane has stopped")[2].splitlines():
        told = row.split("|")[1].split(";") if row.startswith("| ") else []
        if any(re.search(re.escape(said.strip()).replace("…", ".*"), sentence) for said in told if said.strip()):
            return [span for span in spans(row.split("|")[3]) if span.startswith("topics ")]
    raise AssertionError(f"no row for: {sentence}")


async def lane_0(deployment: Deployment) -> dict[str, Any]:
    """As `billing-worker lanes` shows it."""
    lanes = (await program(deployment, "lanes", "--json")).stdout.splitlines()
    (lane,) = [lane for lane in map(json.loads, lanes) if lane["lane"] == 0]
    return dict(lane)
