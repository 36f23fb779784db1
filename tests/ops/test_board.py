"""The board and the rules in a real Prometheus, which scrapes a real worker."""

import asyncio
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from deploy.grafana.generate import board
from tests.faults.kafka.lanes import ORGANIZATIONS, binds, publish_to_all
from tests.faults.kafka.trial import ready
from tests.ops.prometheus import Prometheus, needs_prometheus, of_all, prometheus
from tests.system.deployment import Deployment, command
from tests.system.provision import PARTITIONS
from tests.system.settling import until
from worker.embedded.ports import LOOPBACK, remembered

pytestmark = [pytest.mark.ops, pytest.mark.slow, pytest.mark.timeout(600), needs_prometheus]

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
        await until(partial(fires, asked, "BillingDeadLetters"), "the unreadable record is told of")
        assert {alert["labels"]["alertname"] for alert in asked.fires()} == {"BillingDeadLetters"}


async def yields(asked: Prometheus, expression: str, figure: float) -> bool:
    return asked.values(expression) == [figure]


async def scraped(asked: Prometheus) -> bool:
    return asked.values("count(billing_lane_state)") == [PARTITIONS]


async def evaluated(asked: Prometheus) -> bool:
    (group,) = asked.asks("rules", type="alert")["groups"]
    return all(rule["health"] != "unknown" for rule in group["rules"])


async def fires(asked: Prometheus, alert: str) -> bool:
    return bool(asked.fires(alert))
