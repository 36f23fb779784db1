"""The registry of metrics, its reference page, the board, the alerts and their pages all speak of the same things."""

import ast
import json
import re
from pathlib import Path

import pytest
from prometheus_client.core import Metric

from deploy.grafana import generate as board
from reference import metrics as reference
from tests.tidy.tree import ROOT, parsed, python
from worker import metrics
from worker.domain.values import Unpaid
from worker.lane.progress import LaneState
from worker.lane.stopping import StopReason, kind_of
from worker.wire.events import FORMS
from worker.wire.request import Why

RULES = (ROOT / "deploy/prometheus/billing-worker.rules.yaml").read_text("utf-8")
SCENARIOS = "".join(path.read_text("utf-8") for path in sorted((ROOT / "deploy/prometheus/tests").glob("*.yaml")))
ALERTS = re.findall(r"- alert: (\w+)", RULES)
OURS = {metric.name: metric for metric in metrics.REGISTRY.collect() if metric.name.startswith("billing_")}
NO_NAMES = {"billing_worker"}
STOPS = {"LaneStopped", "DeclaredAnew"}


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


def anchors_of(text: str) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^a-z0-9_ -]", "", head.lower()).replace(" ", "-") for head in heads}


def test_the_board_is_as_its_rows_say(tmp_path: Path) -> None:
    assert board.main(["--check"]) == 0
    assert board.main(["--check"], tmp_path / "missing.json") == 1


@pytest.mark.parametrize("name", OURS)
def test_every_metric_has_its_unit_and_stands_in_one_section_of_the_page(name: str) -> None:
    assert metrics.UNITS[name].name
    assert len(reference.section_of(name)) == 1
    assert OURS[name].documentation.endswith(".")


def test_no_unit_is_told_of_a_metric_that_is_not_there() -> None:
    assert metrics.UNITS.keys() == OURS.keys()


@pytest.mark.parametrize(
    ("name", "label", "values"),
    [
        ("billing_dead_letters", "reason", set(Why)),
        ("billing_lane_state", "state", set(LaneState)),
        ("billing_lane_stopped", "reason", set(StopReason)),
        ("billing_payers_missing", "reason", set(Unpaid)),
        ("billing_events", "event", {form.type.split(".", 1)[1].removesuffix(".v1") for form in FORMS.values()}),
    ],
)
def test_a_label_takes_the_values_that_the_program_knows(name: str, label: str, values: set[str]) -> None:
    told = metrics.UNITS[name].labels[label]

    assert isinstance(told, tuple)
    assert (set(told), len(told)) == (values, len(values))


@pytest.mark.parametrize(
    ("name", "label", "module", "called"),
    [
        ("billing_commands", "outcome", "worker/lane/deciding.py", "self.outcome.outcomes.append"),
        ("billing_attributes_ignored", "attribute", "worker/wire/attributes.py", "ignored.append"),
    ],
)
def test_a_label_takes_the_values_that_the_source_puts_there(name: str, label: str, module: str, called: str) -> None:
    calls = [node for node in ast.walk(parsed(ROOT / module)) if isinstance(node, ast.Call)]
    put = {ast.literal_eval(call.args[0]) for call in calls if ast.unparse(call.func) == called}

    assert put
    assert put == set(metrics.UNITS[name].labels[label])


def test_what_is_counted_is_there_from_the_first_scrape_on() -> None:
    for name, metric in OURS.items():
        labels = metrics.UNITS[name].labels
        if metric.type == "counter":
            combinations = len([sample for sample in metric.samples if sample.name.endswith("_total")])
            assert combinations == max([1, *(len(values) for values in labels.values())]), name


def test_every_reason_for_which_a_lane_stops_has_a_kind() -> None:
    sentences = [sentence for path in python("worker") for sentence in reasons_in(path)]

    assert len(sentences) >= 10
    assert [said for said in sentences if kind_of(said) is StopReason.OTHER] == []
    assert {kind_of(said) for said in sentences} == set(StopReason) - {StopReason.OTHER}
    assert kind_of("something new") is StopReason.OTHER


def reasons_in(path: Path) -> list[str]:
    """The sentences of LaneStopped and DeclaredAnew in a module, without what is put into them."""
    tree = parsed(path)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    texts = {node.name: text_of(returned(node), path) for node in functions if returned(node)}
    found = []
    for function in functions:
        message: ast.expr | None = None
        placed = [node for node in ast.walk(function) if isinstance(node, ast.Assign | ast.Call)]
        for node in sorted(placed, key=lambda placed: placed.lineno):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "msg":
                message = node.value
            elif isinstance(node, ast.Call) and ast.unparse(node.func) in STOPS:
                said = node.args[0]
                said = message if message is not None and ast.unparse(said) == "msg" else said
                found.append(texts[ast.unparse(said.func)] if isinstance(said, ast.Call) else text_of(said, path))
    return found


def returned(function: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.expr | None:
    return next((node.value for node in ast.walk(function) if isinstance(node, ast.Return)), None)


def text_of(expression: ast.expr | None, path: Path) -> str:
    """What is literal in an expression, constants of the module among it."""
    constants = {
        ast.unparse(node.targets[0]): str(node.value.value)
        for node in parsed(path).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    }
    parts = [
        str(node.value) if isinstance(node, ast.Constant) else constants.get(node.id, "")
        for node in ast.walk(expression or ast.Constant(""))
        if isinstance(node, ast.Constant | ast.Name)
    ]
    return "".join(parts)


def test_every_alert_has_a_section_and_every_section_is_an_alerts() -> None:
    sections = re.findall(r"^## (\w+)$", page("alerts.md"), re.MULTILINE)

    assert len(ALERTS) > 10
    assert sections == ALERTS


def test_every_alert_says_what_it_is_what_to_do_and_where_its_section_is() -> None:
    for alert, text in zip(ALERTS, re.split(r"- alert: ", RULES)[1:], strict=True):
        assert re.search(r"severity: (critical|warning|info)\b", text), alert
        assert re.search(r"^ +summary: \S", text, re.MULTILINE), alert
        assert re.search(r"^ +description: \S", text, re.MULTILINE), alert
        (url,) = re.findall(r"^ +runbook_url: (.+)$", text, re.MULTILINE)
        name, _, anchor = url.partition("#")
        assert anchor in anchors_of((ROOT / name).read_text("utf-8")), alert
        assert anchor == alert.lower()


def test_every_section_says_what_an_alert_means_where_to_look_and_what_to_do() -> None:
    for section in page("alerts.md").split("\n## ")[1:]:
        name = section.partition("\n")[0]
        assert ("**Look.**" in section and "**Do.**" in section) or "**Look and do.**" in section, name
        assert "**Means.**" in section, name


def test_the_pages_of_alerts_and_metrics_lead_to_sections_that_there_are() -> None:
    links = re.findall(r"\]\(([a-z]+\.md)#([^)]+)\)", page("alerts.md") + page("metrics.md"))

    assert links
    assert [link for link in links if link[1] not in anchors_of(page(link[0]))] == []


def test_each_kind_of_reason_for_which_a_lane_stops_is_in_the_section_of_its_alert() -> None:
    assert re.findall(r"^\| `([a-z_]+)` \|", page("alerts.md"), re.MULTILINE) == list(
        metrics.UNITS["billing_lane_stopped"].labels["reason"]
    )


def test_every_alert_has_a_scenario_in_which_it_fires() -> None:
    fires = set(re.findall(r"labels: '\{alertname=\"(\w+)\"", SCENARIOS))

    assert fires == set(ALERTS)


def test_rules_board_and_pages_name_only_metrics_that_there_are() -> None:
    texts = {
        "rules": RULES,
        "scenarios": SCENARIOS,
        "board": json.dumps(board.board()),
        "alerts": page("alerts.md"),
    }
    exposed = {name for metric in metrics.REGISTRY.collect() for name in exposed_by(metric)}
    for where, text in texts.items():
        named = set(re.findall(r"\b(?:billing|process|python)_[a-z_]+\b", text)) - NO_NAMES
        assert named - exposed == set(), where


def exposed_by(metric: Metric) -> set[str]:
    """The names of its series; of one that has none yet, its own."""
    suffixes = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",), "info": ("_info",)}
    return {metric.name + suffix for suffix in suffixes.get(metric.type, ("",))}


def test_every_metric_of_a_lane_is_shown_on_the_board_or_watched_by_an_alert() -> None:
    shown = json.dumps(board.board()) + RULES

    assert [name for name, metric in OURS.items() if not exposed_by(metric) & set(re.findall(r"\w+", shown))] == [
        "billing_producers_recreated"
    ]
