"""Every metric: its kind, unit, labels and meaning."""

from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client.core import Metric

from reference.markdown import code, table, wrapped
from worker.metrics import REGISTRY, UNITS, Values

HEAD: Final = """# Metrics

Every metric, with its kind, unit and labels. A worker serves them at `/metrics` (`BILLING_HTTP__PORT`), each for
itself: of a lane tells the worker that owns it. What is counted begins with 0 at the start of a process, with all its
labels. No label holds an id or anything that people wrote. Written by `python -m reference` from `worker/metrics.py`.

The board that shows them is `deploy/grafana/billing-worker.json`; the alerts are in
`deploy/prometheus/billing-worker.rules.yaml`, and [docs/alerts.md](alerts.md) says what to do about each.
"""

_OURS: Final = "billing_"

_SECTIONS: Final = {
    "The process": ("billing_build", "billing_ready", "billing_event_loop"),
    "Commands": (
        "billing_commands", "billing_events", "billing_dead", "billing_payers", "billing_attributes",
        "billing_committed", "billing_published", "billing_defects", "billing_batch", "billing_publish_",
    ),
    "Lanes": ("billing_lane", "billing_command_partitions", "billing_rebalances", "billing_producers", "billing_group"),
    "The database": ("billing_database",),
}  # fmt: skip

_LIBRARY: Final = "From the client library"


def page() -> str:
    """The whole reference page."""
    metrics = sorted(REGISTRY.collect(), key=lambda metric: metric.name)
    return "\n".join([HEAD, *_sections(metrics)])


def _sections(metrics: Sequence[Metric]) -> Iterator[str]:
    for title, beginnings in _SECTIONS.items():
        yield f"## {title}\n"
        yield from (_entry(metric) for metric in metrics if metric.name.startswith(beginnings))
    yield f"## {_LIBRARY}\n"
    theirs = [metric for metric in metrics if not metric.name.startswith(_OURS)]
    rows = ((code(_exposed(metric)), metric.type, metric.documentation) for metric in theirs)
    yield f"{table(('Name', 'Kind', 'Meaning'), rows)}\n"


def section_of(name: str) -> list[str]:
    """The sections in which a metric of ours stands: one."""
    return [title for title, beginnings in _SECTIONS.items() if name.startswith(beginnings)]


def _entry(metric: Metric) -> str:
    unit = UNITS[metric.name]
    lines = [
        f"### `{_exposed(metric)}`\n",
        wrapped(f"{_kind(metric)}, {_said(unit.name)}. {metric.documentation}"),
        "",
    ]
    lines += [wrapped(f"- `{label}`: {_values(values)}", "  ") for label, values in unit.labels.items()]
    return "\n".join([*lines, ""] if unit.labels else lines)


def _exposed(metric: Metric) -> str:
    suffix = {"counter": "_total", "info": "_info"}.get(metric.type, "")
    return metric.name if metric.name.endswith(suffix) else metric.name + suffix


def _kind(metric: Metric) -> str:
    if metric.type != "histogram":
        return metric.type.capitalize()
    bounds = [float(sample.labels["le"]) for sample in metric.samples if sample.name.endswith("_bucket")]
    return f"Histogram ({', '.join(f'{bound:g}' for bound in bounds[:-1])})"


def _said(unit: str) -> str:
    return "without a unit" if unit == "1" else f"in {unit}"


def _values(values: Values) -> str:
    return values if isinstance(values, str) else ", ".join(f"`{value}`" for value in values)
