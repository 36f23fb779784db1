"""E1 and E6: what lies in the log of commands has one outcome each, and whatever came out names what lies there."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import orjson

from tests.system.checker.marks import Came, digest
from tests.system.checker.messages import DEAD_LETTER_HEADERS, Message, Place, kind_of

TICK = "billing.lane.tick.v1"
USES_NO_ID = {"KEY_MISMATCH", "WRONG_PARTITION", "COMMAND_ID_REUSED"}


def said_by(record: Came) -> tuple[set[str], set[str]]:
    """The ids and the types that a record of the log may mean: of its document, of its headers. Read naively."""
    ids: set[str] = set()
    types: set[str] = set()
    try:
        document = json.loads(record.value or b"")  # orjson refuses 1e400 and lone surrogates, which commands may hold
    except (ValueError, RecursionError):
        document = None
    headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    for source, prefix in ((document, ""), (headers, "ce_")):
        if isinstance(source, dict):
            for name, found in (("id", ids), ("type", types)):
                value = source.get(prefix + name)
                if isinstance(value, str):
                    found.add(value)
    return ids, types


@dataclass
class Commands:
    """The log of commands as it lies there, and what became of each record of it.

    Begins with the log; the outcomes are shown afterwards, results in the order of their topic.
    """

    starts: dict[int, int] = field(default_factory=dict)
    """Where each partition's log begins now; what was before is gone, and nothing is claimed of it."""
    ids: dict[int, dict[int, str | frozenset[str]]] = field(default_factory=lambda: defaultdict(dict))
    ticks: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    results: Counter[Place] = field(default_factory=Counter)
    letters: Counter[Place] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    elsewhere: Counter[str] = field(default_factory=Counter)
    """Ids of commands before where the log begins now, or past what is looked at."""
    defects: set[Place] = field(default_factory=set)
    used: dict[str, tuple[Place, str, bytes]] = field(default_factory=dict)
    """Ids that were used up: where, accepted or rejected, and a digest of what was answered."""

    def lies(self, record: Came) -> None:
        """A record of the log, committed."""
        ids, types = said_by(record)
        self.ids[record.partition][record.offset] = ids.pop() if len(ids) == 1 else frozenset(ids)
        if types == {TICK}:
            self.ticks[record.partition].add(record.offset)

    def waits(self, record: Came) -> None:
        """A record past the position of its lane."""
        self.elsewhere.update(said_by(record)[0])

    def result(self, message: Message) -> Iterator[str]:
        """E1: a result is the one outcome of a command that lies there, and an id is used once."""
        assert message.body is not None
        data, place = message.body["data"], Place(*message.place[:2])
        kind = kind_of(message.body).removeprefix("command.")
        self.kinds["duplicate" if data.get("duplicate") else kind] += 1
        if place.offset < self.starts.get(place.lane, 0):
            self.elsewhere[data["command"]] += 1  # its id is used up all the same
        else:
            self.results[place] += 1
        codes = {reason["code"] for reason in data.get("reasons", ())}
        if "INTERNAL_ERROR" in codes:
            self.defects.add(place)
        if kind == "evaluated" or data["duplicate"] or codes & USES_NO_ID:
            return
        key = f"{message.body['organization']}/{data['command']}"
        if key in self.used:
            if codes == {"UNKNOWN_COMMAND"}:
                return  # the type is judged before the id
            yield f"{message} was {kind} anew: its id was used up by the command at {self.used[key][0]}"
        self.used[key] = place, kind, digest(orjson.dumps(data))

    def letter(self, message: Message) -> Iterator[str]:
        """E1: a dead letter is the one outcome of what could not be read."""
        headers = dict(message.record.headers)
        place = message.place
        if missing := [name for name in DEAD_LETTER_HEADERS if name not in headers]:
            yield f"the dead letter {message} has no {', '.join(missing)}"
        if place.offset < self.starts.get(place.lane, 0):
            return
        self.kinds["dead letter"] += 1
        self.letters[place] += 1

    def names_its_command(self, message: Message) -> Iterator[str]:
        """E6: a record names the id and the place of a command that lies in the log."""
        assert message.body is not None
        place, named = message.place, message.body["causationid"]
        if place.offset < self.starts.get(place.lane, 0):
            return
        lying = self.ids.get(place.lane, {}).get(place.offset)
        if lying is None:
            yield f"{message} names the command {named!r}, but there is no record in the log at {place}"
        elif lying != named and (isinstance(lying, str) or named not in lying):
            yield f"{message} names the command {named!r}, but at {place} lies {lying!r}"

    def each_has_one_outcome(self) -> Iterator[str]:
        """E1: exactly one result or one dead letter; a defect has both; a tick has neither, unless it is unreadable."""
        for lane, records in self.ids.items():
            ticks = self.ticks.get(lane, set())
            for offset, id_ in records.items():
                place = Place(lane, offset)
                results, letters = self.results.pop(place, 0), self.letters.pop(place, 0)
                wanted = [(1, 1)] if place in self.defects else [(1, 0), (0, 1)]
                if offset in ticks:
                    wanted = [(0, 0), (0, 1)]
                if (results, letters) not in wanted:
                    what = "the tick" if offset in ticks else "the command"
                    yield f"{what} {id_!r} at {place} has {results} results and {letters} dead letters"
        for place in self.results + self.letters:
            yield f"there is an outcome of {place}, but no record in the log"

    def hold_what_was_acknowledged(self, sent: Counter[str]) -> Iterator[str]:
        """E1: whatever a publisher was told is there is there, as often as he was told so."""
        lying = self.elsewhere.copy()
        for records in self.ids.values():
            for id_ in records.values():
                lying.update([id_] if isinstance(id_, str) else id_)
        for id_, times in (sent - lying).items():
            yield f"the command {id_!r} was acknowledged {sent[id_]} times; {times} of them are not in the log"

    @property
    def count(self) -> int:
        """How many records lie in the log, ticks apart."""
        return sum(map(len, self.ids.values())) - sum(map(len, self.ticks.values()))
