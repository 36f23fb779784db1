"""The board and the alerts in a real Prometheus, which scrapes a real worker."""

import asyncio
import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from deploy.grafana.generate import board
from tests.faults.kafka.lanes import ORGANIZATIONS, binds, publish_to_all
from tests.faults.kafka.test_positions import cut_log_before
from tests.faults.kafka.trial import end, ready
from tests.ops.prometheus import Prometheus, needs_prometheus, of_all, prometheus
from tests.recovery.programs import program
from tests.system.deployment import Deployment, command
from tests.system.provision import PARTITIONS
from tests.system.settling import until
from worker.embedded.ports import LOOPBACK, remembered

pytestmark = [pytest.mark.ops, pytest.mark.slow, pytest.mark.timeout(600), needs_prometheus]

ROOT = Path(__file__).parents[2]
PANELS: list[dict[str, Any]] = [panel for panel in board()["panels"] if panel["type"] != "row"]
ONLY_WHEN_IT_FIRES = "Alerts that fire"
SETTLES_SECONDS = 120


def queries(*, but: str = "") -> dict[str, str]:
    """Every query of the board, by its panel and its letter."""
    return {
        f"{panel['title']} {target['refId']}": of_all(target["expr"])
        for panel in PANELS
        for target in panel["targets"]
        if panel["title"] != but
    }


async def traffic(deployment: Deployment) -> None:
    """Something of every kind: accepted, rejected, unreadable, with a bad trace, and a project that loses its payer."""
    organization = ORGANIZATIONS[0]
    await publish_to_all(deployment, 0, 20)
    refused = command(organization, "project.bind", "refused", project="p-1", account="nobody")
    traced = binds(organization, 20, 21)[0].replace(b'"organization"', b'"traceparent": "zz", "organization"')
    unbound = command(organization, "project.unbind", "unbound", project="p-2")
    await deployment.publish(organization, refused, b"{", traced, unbound)


async def test_every_query_of_the_board_and_every_rule_finds_what_a_worker_tells(
    deployment: Deployment, tmp_path: Path
) -> None:
    address = f"{LOOPBACK}:{remembered(tmp_path / 'http-port')}"
    with prometheus(tmp_path, address) as asked, deployment.worker(HTTP__PORT=address.rpartition(":")[2]) as worker:
        await ready(worker)
        await until(lambda: scraped(asked), "Prometheus has seen the worker before there is anything to count")
        await traffic(deployment)
        await deployment.answers()

        empty: list[str] = []

        async def all_answer() -> bool:
            asking = queries(but=ONLY_WHEN_IT_FIRES).items()
            empty[:] = [name for name, query in asking if not await asyncio.to_thread(asked.values, query)]
            return not empty

        try:
            await until(all_answer, "every query of the board has data", SETTLES_SECONDS)
        except AssertionError:
            raise AssertionError(f"without data: {empty}") from None

        figures = {
            'sum(billing_commands_total{outcome="accepted"})': PARTITIONS * 21 + 2,
            "sum(billing_payers_missing_total)": 1,
            "billing_command_partitions": PARTITIONS,
            "count(billing_lane_horizon_age_seconds < 300)": PARTITIONS,
        }
        for expression, figure in figures.items():
            await until(partial(yields, asked, expression, figure), f"{expression} is {figure}")
        assert asked.values(queries()["From append to visible A"])[0] > 0
        for name, label in {"job": "job", "instance": "instance", "lane": "lane"}.items():
            (definition,) = [each["definition"] for each in board()["templating"]["list"] if each["name"] == name]
            metric, column = re.findall(r"label_values\((\w+).*, (\w+)\)", definition)[0]
            assert (column, bool(asked.asks(f"label/{label}/values", **{"match[]": metric}))) == (label, True)

        await until(lambda: evaluated(asked), "every rule was evaluated")
        (group,) = asked.asks("rules", type="alert")["groups"]
        assert {rule["name"]: rule["lastError"] for rule in group["rules"] if rule["health"] != "ok"} == {}
        named = {name for rule in group["rules"] for name in re.findall(r"billing_\w+", rule["query"])}
        assert [name for name in sorted(named) if not asked.values(f"count({name})")] == ["billing_lane_stopped"]
        assert {alert["labels"]["alertname"] for alert in asked.fires()} == {"BillingDeadLetters"}


async def yields(asked: Prometheus, expression: str, figure: float) -> bool:
    return asked.values(expression) == [figure]


async def scraped(asked: Prometheus) -> bool:
    return asked.values("count(billing_lane_state)") == [PARTITIONS]


async def evaluated(asked: Prometheus) -> bool:
    (group,) = asked.asks("rules", type="alert")["groups"]
    return all(rule["health"] != "unknown" for rule in group["rules"])


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
        position = await logged_end(deployment)
        await deployment.publish(ORGANIZATIONS[0], *binds(ORGANIZATIONS[0], 10, 20))
        await cut_log_before(deployment, position + 5)

        with deployment.worker(**port) as worker:
            await until(lambda: fires(asked), "the alert fires", SETTLES_SECONDS)
            (alert,) = asked.fires("BillingLaneStopped")
            assert (alert["labels"]["lane"], alert["labels"]["reason"]) == ("0", "commands_gone")
            assert alert["annotations"]["summary"] == "Lane 0 has stopped: commands_gone."
            assert asked.values(queries()["Lanes that stopped A"]) == [1]
            assert asked.values(queries()[f"{ONLY_WHEN_IT_FIRES} A"])
            await end(worker)

        sentence = await stopped_sentence(deployment)
        remedy = remedy_of(alert["annotations"]["runbook_url"], sentence)
        assert remedy == ["topics", "declare", "--lane", "N", "--skip-to-start"]
        await program(deployment, *("0" if word == "N" else word for word in remedy), "--yes", "--as", "ada")

        with deployment.worker(**port) as worker:
            await ready(worker)
            await until(lambda: is_over(asked), "the alert is over", SETTLES_SECONDS)
            assert not asked.fires("BillingLaneStopped")
            assert await stopped_sentence(deployment) is None


def remedy_of(runbook_url: str, sentence: str | None) -> list[str]:
    """What to type, as whoever was woken finds it: from the alert's section to the row of the sentence."""
    assert sentence is not None
    name, _, anchor = runbook_url.partition("#")
    page = (ROOT / name).read_text("utf-8")
    (section,) = [part for part in page.split("\n## ") if part.partition("\n")[0].lower() == anchor]
    (link,) = re.findall(r"\[A lane has stopped\]\((\w+\.md)#a-lane-has-stopped\)", section)
    for row in (ROOT / "docs" / link).read_text("utf-8").partition("## A lane has stopped")[2].splitlines():
        told = row.split("|")[1].split(";") if row.startswith("| ") else []
        if any(re.search(re.escape(said.strip()).replace("…", ".*"), sentence) for said in told if said.strip()):
            return str(re.findall(r"`(topics declare [^`]+)`", row)[0]).split()
    raise AssertionError(f"no row for: {sentence}")


async def fires(asked: Prometheus) -> bool:
    return len(asked.fires("BillingLaneStopped")) == 1


async def is_over(asked: Prometheus) -> bool:
    running = asked.values('count(billing_lane_state{state="running"})')
    return running == [PARTITIONS] and not asked.fires("BillingLaneStopped")


async def stopped_sentence(deployment: Deployment) -> str | None:
    lanes = (await program(deployment, "lanes", "--json")).stdout.splitlines()
    (lane,) = [lane for lane in map(json.loads, lanes) if lane["lane"] == 0]
    return None if lane["stopped"] is None else str(lane["stopped"])


async def logged_end(deployment: Deployment) -> int:
    lanes = (await program(deployment, "lanes", "--json")).stdout.splitlines()
    (lane,) = [lane for lane in map(json.loads, lanes) if lane["lane"] == 0]
    return int(lane["logEnd"])
