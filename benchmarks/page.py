"""The figures of a kept run as the documentation states them: `python -m benchmarks.page [FILE.json]`."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.goals import formatted, lines, not_measured

REFERENCE: Final = Path(__file__).parent / "results" / "reference.json"
"""The run whose figures are in docs/performance.md."""


def page_table(kept: Mapping[str, Any]) -> str:
    """A Markdown table of all figures beside their goals."""
    rows = ["| Figure | Measured | Goal | |", "|---|---:|---|---|"]
    rows += [
        f"| `{line.name}` | {formatted(line.figure)} | {line.goal or ''} | {line.verdict} |"
        for line in lines(kept["figures"])
    ]
    rows += [f"| `{name}` | not measured | | |" for name in not_measured(kept["figures"])]
    return "\n".join(rows) + "\n"


def read(file: Path = REFERENCE) -> dict[str, Any]:
    """A run as it was kept."""
    kept: dict[str, Any] = json.loads(file.read_bytes())
    return kept


if __name__ == "__main__":
    print(page_table(read(Path(sys.argv[1]) if len(sys.argv) > 1 else REFERENCE)), end="")
