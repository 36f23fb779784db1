"""The alert rules as Prometheus' own tool judges them: each fires when it should, and not before."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.ops.prometheus import FOLDER, RULES, needs_prometheus

pytestmark = [pytest.mark.ops, needs_prometheus]

SCENARIOS = sorted((FOLDER / "tests").glob("*.yaml"))


def promtool(*arguments: str | Path, cwd: Path = FOLDER) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False)


def test_prometheus_takes_the_rules_and_the_configuration() -> None:
    checked = promtool("check", "config", FOLDER / "prometheus.yml")

    assert checked.returncode == 0, checked.stderr
    assert f"{RULES.read_text('utf-8').count('- alert:')} rules found" in checked.stdout


@pytest.mark.parametrize("scenarios", SCENARIOS, ids=lambda path: path.name)
def test_alerts_fire_when_they_should_and_no_sooner(scenarios: Path) -> None:
    checked = promtool("test", "rules", scenarios)

    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("alert", re.findall(r"- alert: (\w+)", RULES.read_text("utf-8")))
def test_the_scenarios_notice_that_an_alert_is_missing(alert: str, tmp_path: Path) -> None:
    """So that a scenario which cannot fail is found out."""
    head, *rules = re.split(r"(?=      - alert: )", RULES.read_text("utf-8"))
    (tmp_path / RULES.name).write_text(
        head + "".join(rule for rule in rules if f"- alert: {alert}\n" not in rule), "utf-8"
    )
    (tmp_path / "tests").mkdir()
    for scenarios in SCENARIOS:
        (tmp_path / "tests" / scenarios.name).write_text(scenarios.read_text("utf-8"), "utf-8")

    assert promtool("test", "rules", *sorted((tmp_path / "tests").iterdir()), cwd=tmp_path).returncode == 1
