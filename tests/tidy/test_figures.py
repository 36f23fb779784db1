"""The figures that the documentation states are those of the runs that are kept."""

from pathlib import Path

from benchmarks.page import page_table, read
from tests.soak.figures import reports_of, table

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_figures_of_the_soak_are_those_of_its_runs() -> None:
    reports = reports_of(DOCS / "figures" / "soak.jsonl")

    assert table(reports) in (DOCS / "guarantees.md").read_text()
    assert [report["seed"] for report in reports if report["broken"] is not None] == []


def test_the_figures_of_the_benchmarks_are_those_of_the_run_that_is_kept() -> None:
    assert page_table(read()) in (DOCS / "performance.md").read_text()
