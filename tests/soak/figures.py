"""`python -m tests.soak.figures REPORT…`: what soaks found, added up, as the table of docs/guarantees.md."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import quantiles
from typing import Any

Json = dict[str, Any]


def main() -> None:
    """Print the table."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.stdout.write(table([report for path in sys.argv[1:] for report in reports_of(Path(path))]))


def reports_of(path: Path) -> list[Json]:
    """The reports that runs appended to a file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def table(reports: Sequence[Json]) -> str:
    """Markdown: first what was done and found, in a column for each mode of publishing, then the faults by kind."""
    by_mode: dict[str, list[Json]] = {}
    for report in reports:
        by_mode.setdefault(report["mode"], []).append(report)
    modes = sorted(by_mode, reverse=True)
    columns = {mode: _totals(by_mode[mode]) for mode in modes}
    lines = _rows(["", *modes], ([name, *(columns[mode][name] for mode in modes)] for name in columns[modes[0]]))
    faults = {mode: sum((Counter(report["faults"]) for report in by_mode[mode]), Counter[str]()) for mode in modes}
    kinds = sorted({kind for found in faults.values() for kind in found})
    lines += [
        "",
        *_rows(["Faults injected", *modes], ([kind, *(faults[mode][kind] for mode in modes)] for kind in kinds)),
    ]
    return "\n".join(lines) + "\n"


def _totals(reports: Sequence[Json]) -> Json:
    figures = [report["figures"] for report in reports]
    healed = [seconds for report in reports for seconds in report["healed_seconds"]]
    cut = quantiles(healed, n=20)
    return {
        "Runs": len(reports),
        "Commands acknowledged": _sum(figures, "acknowledged"),
        "Faults injected": sum(sum(report["faults"].values()) for report in reports),
        "Workers started": _sum(reports, "workers_started"),
        "Events, results and states checked": _sum(figures, "records"),
        "Answers asked again": _sum(figures, "answers"),
        "Runs in which a claim did not hold": sum(report["broken"] is not None for report in reports),
        "Records that came to nothing, seen by `read_uncommitted`": _sum(figures, "aborted"),
        "Records seen once more by `read_uncommitted`": _sum(figures, "repeated"),
        "Seconds to heal, median": f"{cut[9]:.1f}",
        "Seconds to heal, 95th percentile": f"{cut[18]:.1f}",
    }


def _sum(found: Iterable[Json], name: str) -> int:
    return sum(each.get(name, 0) for each in found)


def _rows(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    lines = [_row(head), "|---" + "|---:" * (len(head) - 1) + "|"]
    return lines + [_row([f"{each:,}" if isinstance(each, int) else each for each in row]) for row in rows]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
