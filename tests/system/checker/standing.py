"""E5: what a compacted topic and the tables hold is what the events say."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.system.checker.messages import Json, Message


def differences(expected: Any, found: Any) -> str:
    """The fields in which two documents differ."""
    if not isinstance(expected, dict) or not isinstance(found, dict):
        return f"{found!r} instead of {expected!r}"
    names = [name for name in {**expected, **found} if expected.get(name, ...) != found.get(name, ...)]
    return "; ".join(f"{name}: {found.get(name)!r} instead of {expected.get(name)!r}" for name in names)


def same(what: str, expected: Mapping[str, Any], found: Iterable[tuple[str, Any]]) -> Iterator[str]:
    """What a table holds under each key is what is expected there: no key more, none less."""
    missing = set(expected)
    for key, document in found:
        if key not in missing:
            yield f"{what} {key} is there without an event, or twice"
            continue
        missing.discard(key)
        if document != expected[key]:
            yield f"{what} {key}: {differences(expected[key], document)}"
    for key in sorted(missing):
        yield f"{what} {key} is missing"


@dataclass
class Compacted:
    """A compacted topic against the states that its records must end in, by `organization/id`."""

    expected: Callable[[str], Json | None]
    ended: dict[str, bool] = field(default_factory=dict)
    """Whether the newest record of a key is the state that the events lead to."""
    tombstones: set[str] = field(default_factory=set)

    def see(self, message: Message) -> Iterator[str]:
        """A record of the topic, in its order."""
        key = (message.record.key or b"").decode()
        state = self.expected(key)
        if message.body is None:
            if not self.ended.get(key) or state is None or "deletedAt" not in state:
                yield f"the tombstone {message} is of something that is not gone"
            self.tombstones.add(key)
            return
        if key in self.tombstones:
            yield f"{message} comes after its tombstone"
        data = message.body["data"]
        if data["sequence"] != message.body["sequence"]:
            yield f"{message} carries the sequence {data['sequence']}"
        self.ended[key] = state == data
        if state is not None and data["sequence"] == state["sequence"] and state != data:
            yield f"{message}: {differences(state, data)}"

    def lead_to(self, keys: Iterable[str]) -> Iterator[str]:
        """Each key's newest record is its state, and there are no others."""
        wanted = set(keys)
        for key in sorted(wanted):
            if not self.ended.get(key):
                yield f"the newest record of {key} is not its state, or there is none"
        for key in sorted(set(self.ended) - wanted):
            yield f"there is a record of {key}, of which no event tells"
