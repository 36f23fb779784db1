"""What a panel of the board is, and the few kinds that there are."""  # noqa: INP001 - for scripts

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

OURS = 'job=~"$job", instance=~"$instance"'
"""The workers that are chosen at the top of the board."""

LANES = f'{OURS}, lane=~"$lane"'

STACKED = {"stacking": {"mode": "normal", "group": "A"}, "fillOpacity": 30, "lineWidth": 1}
BARS = {"drawStyle": "bars", "fillOpacity": 60, "lineWidth": 0, "stacking": {"mode": "normal", "group": "A"}}
BESIDE = {
    "legend": {"displayMode": "table", "placement": "right", "showLegend": True, "calcs": ["mean"]},
    "tooltip": {"mode": "multi", "sort": "desc"},
}
"""A legend for more series than fit below."""


@dataclass(frozen=True)
class Query:
    """An expression of PromQL; `legend` names each of its series."""

    expr: str
    legend: str = ""
    shape: str = "time_series"
    is_of_now: bool = False


@dataclass(frozen=True)
class Panel:
    """What is shown, how wide (of 24) and how high; `says` is the help text behind its title."""

    title: str
    says: str
    queries: Sequence[Query]
    kind: str = "timeseries"
    unit: str = "short"
    width: int = 8
    height: int = 8
    colors: Mapping[str, str] = field(default_factory=dict)
    thresholds: Mapping[float, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    custom: Mapping[str, Any] = field(default_factory=dict)
    overrides: Sequence[Mapping[str, Any]] = ()
    transformations: Sequence[Mapping[str, Any]] = ()
    may_be_negative: bool = False


def stat(title: str, says: str, expr: str, unit: str = "short", thresholds: Mapping[float, str] | None = None) -> Panel:
    """One figure, coloured by its size."""
    return Panel(
        title,
        says,
        [Query(expr)],
        kind="stat",
        unit=unit,
        width=4,
        height=4,
        thresholds=thresholds or {},
        options={
            "colorMode": "value" if thresholds else "none",
            "graphMode": "area",
            "justifyMode": "auto",
            "orientation": "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "textMode": "auto",
        },
    )


def per_lane(title: str, says: str, metric: str, unit: str) -> Panel:
    """A line for each lane; of two workers that both think it is theirs, what the one says that gets on."""
    return Panel(title, says, [Query(f"min by (lane) ({metric}{{{LANES}}})", "lane {{lane}}")], unit=unit, width=12)


def quantiles(title: str, says: str, metric: str, width: int = 8) -> Panel:
    """The middle, and what the slowest saw."""
    rates = f"sum by (le) (rate({metric}_bucket{{{OURS}}}[$__rate_interval]))"
    told = [(0.5, "half"), (0.95, "95 %"), (0.99, "99 %")]
    queries = [Query(f"histogram_quantile({share}, {rates})", legend) for share, legend in told]
    return Panel(title, says, queries, unit="s", width=width)


def rate(metric: str, by: str = "", of: str = "") -> str:
    """So many a second."""
    grouping = f" by ({by})" if by else ""
    return f"sum{grouping} (rate({metric}{{{OURS}{of}}}[$__rate_interval]))"


def rise(metric: str, by: str = "") -> str:
    """So many more."""
    grouping = f" by ({by})" if by else ""
    return f"sum{grouping} (increase({metric}{{{OURS}}}[$__rate_interval]))"
