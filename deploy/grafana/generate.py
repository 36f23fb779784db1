"""Writes `billing-worker.json`, the board for Grafana, or tells with `--check` whether it is as said in `rows`."""  # noqa: INP001 - a script

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from deploy.grafana.panels import Panel, Query
from deploy.grafana.rows import ROWS
from reference.written import keep

BOARD: Final = Path(__file__).parent / "billing-worker.json"
WIDTH: Final = 24
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


def board() -> dict[str, Any]:
    """The whole board, as Grafana imports and provisions it."""
    return {
        "annotations": {"list": []},
        "description": "Billing worker: traffic, latency, lanes, faults, database. docs/metrics.md, docs/alerts.md.",
        "editable": True,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "links": [],
        "panels": _panels(),
        "refresh": "30s",
        "schemaVersion": 41,
        "tags": ["billing-worker"],
        "templating": {"list": _variables()},
        "time": {"from": "now-1h", "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "title": "Billing worker",
        "uid": "billing-worker",
        "version": 1,
    }


def _variables() -> list[dict[str, Any]]:
    source: dict[str, Any] = {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "regex": "",
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "options": [],
        "refresh": 1,
    }
    asked = {
        "job": "label_values(billing_build_info, job)",
        "instance": 'label_values(billing_build_info{job=~"$job"}, instance)',
        "lane": 'label_values(billing_lane_state{job=~"$job"}, lane)',
    }
    return [source, *(_variable(name, query) for name, query in asked.items())]


def _variable(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": {"instance": "worker"}.get(name, name),
        "type": "query",
        "datasource": SOURCE,
        "definition": query,
        "query": {"qryType": 1, "query": query, "refId": name},
        "allValue": ".+",
        "current": {"text": "All", "value": "$__all"},
        "hide": 0,
        "includeAll": True,
        "multi": True,
        "options": [],
        "refresh": 2,
        "regex": "",
        "sort": 3,
    }


def _panels() -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = []
    y = 0
    for title, row in ROWS.items():
        place = {"x": 0, "y": y, "w": WIDTH, "h": 1}
        panels.append(
            {"id": len(panels) + 1, "type": "row", "title": title, "gridPos": place, "collapsed": False, "panels": []}
        )
        x, y, height = 0, y + 1, 0
        for panel in row:
            if x + panel.width > WIDTH:
                x, y, height = 0, y + height, 0
            panels.append(_panel(panel, len(panels) + 1, {"x": x, "y": y, "w": panel.width, "h": panel.height}))
            x, height = x + panel.width, max(height, panel.height)
        y += height
    return panels


def _panel(panel: Panel, id_: int, place: Mapping[str, int]) -> dict[str, Any]:
    return {
        "id": id_,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": SOURCE,
        "gridPos": place,
        "targets": [_target(query, "ABCDE"[number]) for number, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": [*_colored(panel.colors), *panel.overrides]},
        "options": panel.options or _options(panel),
        "transformations": list(panel.transformations),
    }


def _target(query: Query, ref: str) -> dict[str, Any]:
    return {
        "refId": ref,
        "datasource": SOURCE,
        "editorMode": "code",
        "expr": query.expr,
        "format": query.shape,
        "instant": query.is_of_now,
        "range": not query.is_of_now,
        "legendFormat": query.legend or "__auto",
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    steps = [{"color": color, "value": None if at == 0 else at} for at, color in panel.thresholds.items()]
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "color": {"mode": "thresholds" if panel.thresholds else "palette-classic"},
        "thresholds": {"mode": "absolute", "steps": steps or [{"color": "green", "value": None}]},
    }
    if panel.kind == "timeseries":
        custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 0, "showPoints": "never", "spanNulls": False}
        floor = {} if panel.may_be_negative else {"min": 0}
        return defaults | floor | {"custom": custom | dict(panel.custom)}
    return defaults


def _options(panel: Panel) -> dict[str, Any]:
    if panel.kind == "table":
        return {"showHeader": True, "cellHeight": "sm"}
    return {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def _colored(colors: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "matcher": {"id": "byName", "options": name},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": color}}],
        }
        for name, color in colors.items()
    ]


def main(arguments: Sequence[str] | None = None, path: Path = BOARD) -> int:
    """Write the board, or only compare it; 1 means that it differs."""
    wanted = json.dumps(board(), indent=2, ensure_ascii=False) + "\n"
    return keep("deploy.grafana.generate", __doc__, {path: wanted}, arguments)


if __name__ == "__main__":
    sys.exit(main())
