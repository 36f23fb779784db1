"""What was found: violations by claim, and how much was looked at."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

SHOWN_MAX = 12


class Violated(AssertionError):  # noqa: N818 - what became of the claims
    """Claims that do not hold, each with the places where it does not."""

    def __init__(self, found: dict[str, list[str]]) -> None:
        lines = []
        for claim, messages in sorted(found.items(), key=lambda entry: int(entry[0][1:])):
            lines += [f"{claim}: {message}" for message in messages[:SHOWN_MAX]]
            if (more := len(messages) - SHOWN_MAX) > 0:
                lines.append(f"{claim}: and {more} more")
        super().__init__("\n" + "\n".join(lines))
        self.found = found

    @property
    def claims(self) -> frozenset[str]:
        """The claims that do not hold."""
        return frozenset(self.found)


@dataclass
class Report:
    """Collects violations, so that one look tells all that is wrong."""

    found: dict[str, list[str]] = field(default_factory=dict)

    def add(self, claim: str, messages: Iterable[str]) -> None:
        """Note where a claim (E1 to E10) does not hold."""
        for message in messages:
            self.found.setdefault(claim, []).append(message)

    def pass_on(self, report: "Report") -> None:
        """Add everything to another report."""
        for claim, messages in self.found.items():
            report.add(claim, messages)

    def close(self) -> None:
        """Raises Violated if anything was found."""
        if self.found:
            raise Violated(self.found)


@dataclass
class Figures:
    """How much was looked at, for reports."""

    commands: int = 0
    ticks: int = 0
    acknowledged: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    events: int = 0
    records: int = 0
    """Committed ones, of all output topics."""
    repeated: int = 0
    """Records that somebody who reads uncommitted records sees once more."""
    aborted: int = 0
    """Records of transactions that came to nothing, for him to see."""
    reconnects: int = 0
    answers: int = 0
    unanswered: int = 0
    accounts: int = 0
    projects: int = 0
    bindings: int = 0
    journal_rows: int = 0
    healed_seconds: float = 0.0
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The figures by name."""
        return asdict(self) | {"outcomes": dict(self.outcomes)}
