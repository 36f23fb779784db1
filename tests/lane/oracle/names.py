"""Comparing what is expected with what is there, up to ids that only a worker can know."""

from typing import Any


class Names:
    """Which id of the worker's stands for which of the oracle's (`~…`): one for one."""

    def __init__(self) -> None:
        self.real: dict[str, str] = {}
        self.naive: dict[str, str] = {}

    def scratch(self) -> "Names":
        """The same, to be forgotten: for ids of what did not happen."""
        copy = Names()
        copy.real, copy.naive = dict(self.real), dict(self.naive)
        return copy

    def differences(self, expected: Any, found: Any, path: str = "") -> list[str]:
        """Every place where the two are not the same."""
        match expected, found:
            case str(), str() if expected.startswith("~"):
                bound = self.real.setdefault(expected, found), self.naive.setdefault(found, expected)
                return [] if bound == (found, expected) else [f"{path}: {found} is not {bound[0]} ({expected})"]
            case dict(), dict() if expected.keys() == found.keys():
                return [
                    difference
                    for name in expected
                    for difference in self.differences(expected[name], found[name], f"{path}/{name}")
                ]
            case list(), list() if len(expected) == len(found):
                return [
                    difference
                    for number, (one, other) in enumerate(zip(expected, found, strict=True))
                    for difference in self.differences(one, other, f"{path}/{number}")
                ]
        is_same = expected == found and type(expected) is type(found)
        return [] if is_same else [f"{path}: expected {expected}, found {found}"]
