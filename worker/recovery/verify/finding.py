"""What a check claims, what it looked at, and what it found to be otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, TypeAlias
from uuid import UUID

from schemas.instants import format_instant

Counterexample: TypeAlias = Mapping[str, Any]
"""Names and values of JSON that say where the claim does not hold, and what is there instead."""

TEXT_CHARACTERS_MAX = 400
"""How much of a long value a counterexample shows."""


@dataclass(frozen=True, slots=True)
class Check:
    """One claim: a name to ask for, and a sentence."""

    name: str
    sentence: str


@dataclass(slots=True)
class Finding:
    """What became of a check. `counterexamples` are the first of `violations`, no more than `counterexamples_max`."""

    check: Check
    counterexamples_max: int
    unit: str = "rows"
    looked_at: int = 0
    violations: int = 0
    counterexamples: list[Counterexample] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing was found to be otherwise."""
        return self.violations == 0

    def refute(self, **counterexample: Any) -> None:
        """Note one more place where the claim does not hold."""
        self.violations += 1
        if len(self.counterexamples) < self.counterexamples_max:
            self.counterexamples.append({name: _plain(value) for name, value in counterexample.items()})


def _plain(value: Any) -> Any:
    """A value as JSON takes it, and short enough to be read."""
    match value:
        case datetime():
            return "infinity" if value.tzinfo is None else format_instant(value)  # as the driver gives it
        case bytes() | memoryview():
            return _short(bytes(value).decode(errors="backslashreplace"))
        case UUID() | date():
            return str(value)
        case str():
            return _short(value)
        case dict():
            return {str(name): _plain(part) for name, part in value.items()}
        case list() | tuple():
            return [_plain(part) for part in value]
        case None | bool() | int() | float():
            return value
        case _:
            return _short(str(value))


def _short(text: str) -> str:
    return text if len(text) <= TEXT_CHARACTERS_MAX else f"{text[:TEXT_CHARACTERS_MAX]}\N{HORIZONTAL ELLIPSIS}"
