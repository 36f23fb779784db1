"""A real Prometheus with the rules that are shipped, which looks once a second instead of four times a minute."""

import json
import math
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from worker.embedded.ports import LOOPBACK, remembered

FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"
RULES = FOLDER / "billing-worker.rules.yaml"
START_SECONDS_MAX = 60

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="prometheus and promtool are not installed: `make test-ops` says how",
)


@dataclass(frozen=True)
class Prometheus:
    """Where it answers."""

    address: str

    def asks(self, path: str, **parameters: str) -> Any:
        """What its API answers."""
        with urlopen(f"{self.address}/api/v1/{path}?{urlencode(parameters)}", timeout=20) as answer:  # noqa: S310
            return json.load(answer)["data"]

    def values(self, expression: str) -> list[float]:
        """What an expression yields now; what is no number (a quantile of nothing) is left out."""
        found = [float(series["value"][1]) for series in self.asks("query", query=expression)["result"]]
        return [value for value in found if not math.isnan(value)]

    def fires(self, alert: str | None = None) -> list[dict[str, Any]]:
        """The alerts that fire now, of one name or of all, with labels and annotations."""
        alerts = [each for each in self.asks("alerts")["alerts"] if each["state"] == "firing"]
        return [each for each in alerts if alert in {None, each["labels"]["alertname"]}]


def impatient(folder: Path) -> Path:
    """The rules that are shipped, but that nothing has to last for minutes before they fire."""
    rules = folder / RULES.name
    hasty, count = re.subn(r"\bfor: \d+m$", "for: 3s", RULES.read_text("utf-8"), flags=re.MULTILINE)
    assert count
    rules.write_text(hasty, "utf-8")
    return rules


@contextmanager
def prometheus(folder: Path, target: str, rules: Path = RULES) -> Iterator[Prometheus]:
    """One that scrapes a target and evaluates the rules, until the block ends."""
    config = (FOLDER / "prometheus.yml").read_text("utf-8")
    for shipped, ours in {"15s": "1s", "127.0.0.1:8080": target, RULES.name: str(rules)}.items():
        assert shipped in config
        config = config.replace(shipped, ours)
    (folder / "prometheus.yml").write_text(config, "utf-8")
    port = remembered(folder / "port")
    arguments = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={LOOPBACK}:{port}",
        "--log.level=warn",
    ]
    log = folder / "prometheus.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(arguments, stdout=errors, stderr=errors)
    try:
        running = Prometheus(f"http://{LOOPBACK}:{port}")
        _wait(running, process, log)
        yield running
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(running: Prometheus, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), urlopen(f"{running.address}/-/ready", timeout=2):  # noqa: S310
            return
        time.sleep(0.1)
    raise AssertionError(f"Prometheus did not start: {log.read_text()[-2000:]}")


def of_all(expression: str) -> str:
    """A query of the board as Grafana asks it when everything is chosen, over five minutes."""
    expression = expression.replace("$__rate_interval", "5m")
    return re.sub(r"\$(job|instance|lane)\b", ".+", expression)
