"""Whether a goal is met, and how figures are shown."""

import ast
from pathlib import Path

import pytest

import benchmarks
from benchmarks.__main__ import PARTS
from benchmarks.goals import GOALS, Goal, at_least, at_most, formatted, lines, not_measured
from benchmarks.plot import bar, bars, plot
from benchmarks.sizes import FULL, ORDINARY, QUICK

MODULES = sorted(Path(benchmarks.__file__).parent.glob("*.py"))


@pytest.mark.parametrize(
    ("goal", "met", "missed"), [(at_least(0.75), (0.75, 2), (0.7499, -1)), (at_most(15), (15, 0), (15.01, 400))]
)
def test_a_goal_is_met_at_its_bound_and_beyond(goal: Goal, met: list[float], missed: list[float]) -> None:
    assert [goal.is_met(figure) for figure in met] == [True, True]
    assert [goal.is_met(figure) for figure in missed] == [False, False]


def test_a_figure_stands_beside_its_goal() -> None:
    figures = {"drain.binds.share_of_limit": 0.8, "latency.exactly_once.500.p99_ms": 51.0, "drain.other": 3.0}

    assert [(line.name, str(line.goal or ""), line.verdict) for line in lines(figures)] == [
        ("drain.binds.share_of_limit", "≥ 0.75", "met"),
        ("latency.exactly_once.500.p99_ms", "≤ 50", "NOT MET"),
        ("drain.other", "", ""),
    ]


def test_a_goal_that_was_not_measured_is_named() -> None:
    figures = dict.fromkeys(GOALS, 1.0)
    del figures["scale.sigterm_standstill_seconds"]

    assert not_measured(figures) == ["scale.sigterm_standstill_seconds"]


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (13_100.4, "13,100"),
        (270, "270"),
        (99.96, "100"),
        (48.52, "48.5"),
        (0.7333, "0.733"),
        (0.9, "0.9"),
        (0.00051, "0.00051"),
        (0, "0"),
        (8.0, "8"),
    ],
)
def test_figures_are_shown_with_three_digits(figure: float, text: str) -> None:
    assert formatted(figure) == text


def test_every_goal_is_of_a_part_that_there_is() -> None:
    assert {name.partition(".")[0] for name in GOALS} <= set(PARTS)


def test_every_goal_of_a_size_is_of_a_size_that_is_measured() -> None:
    sizes = {int(part) for name in GOALS for part in name.split(".") if part.isdecimal()}

    assert sizes
    assert sizes <= {*FULL.latency_rates, *FULL.bindings}
    assert set(QUICK.mixes) < set(ORDINARY.mixes)


def test_bars_are_as_long_as_their_figures() -> None:
    assert bar(10, 10, width=4) == "████"
    assert bar(5, 10, width=4) == "██"
    assert bar(1, 32, width=4) == "▏"
    assert bar(0, 0) == ""
    assert bars({"a": 10.0, "long": 2.5}, width=4) == ["a     ████ 10", "long  █ 2.5"]


def test_only_what_was_measured_is_drawn() -> None:
    assert plot({}) == []
    assert plot({"drain.binds.commands_per_second": 2.0, "start.seconds": 1.0}) == [
        "commands a second",
        f"drain.binds.commands_per_second  {'█' * 50} 2",
        "",
    ]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_benchmarks_stand_on_the_product_and_not_on_its_tests(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    imported = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}

    assert [name for name in imported if name.partition(".")[0] == "tests"] == []
