"""E2 and E3: each subject's events are numbered 1 to n, and come in that order, in one partition."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.system.checker.messages import Message


@dataclass(slots=True)
class _Run:
    partition: int
    count: int = 0
    last: int = 0


@dataclass
class Sequences:
    """The events of one topic, first occurrences only."""

    runs: dict[str, _Run] = field(default_factory=dict)

    def see(self, message: Message) -> Iterator[str]:
        """E3: not below what came before, and in the same partition."""
        assert message.body is not None
        subject, sequence = message.body["subject"], message.body["sequence"]
        run = self.runs.setdefault(subject, _Run(message.record.partition))
        run.count += 1
        if sequence <= run.last:
            yield f"{message} has the sequence {sequence} behind {run.last}"
        run.last = max(run.last, sequence)
        if message.record.partition != run.partition:
            yield f"{message} is in another partition than those before, {run.partition}"

    def have_no_holes(self) -> Iterator[str]:
        """E2: as many events as the last sequence says."""
        for subject, run in self.runs.items():
            if run.count != run.last:
                yield f"{subject} has {run.count} events, but the last one is number {run.last}"


@dataclass
class Versions:
    """The records of a compacted topic: the newest is never older than one before it."""

    newest: dict[bytes, int] = field(default_factory=dict)

    def see(self, message: Message) -> Iterator[str]:
        """E3: no record takes a subscriber back."""
        key = message.record.key or b""
        sequence = message.body["sequence"] if message.body else self.newest.get(key, 0) + 1
        if sequence <= self.newest.get(key, 0):
            yield f"{message} has the sequence {sequence} behind {self.newest[key]}"
        self.newest[key] = max(sequence, self.newest.get(key, 0))


def repeats_its_headers(message: Message) -> Iterator[str]:
    """E2: id, type and subject stand in the headers as in the value, and the key is that of the subject."""
    assert message.body is not None
    body, headers = message.body, dict(message.record.headers)
    for name in ("id", "type", "subject"):
        if headers.get(f"ce_{name}") != body[name].encode():
            yield f"{message} has the {name} {body[name]!r}, but its header says {headers.get(f'ce_{name}')!r}"
    key = body["subject"].partition("/")[2]
    if body["subject"].startswith("commands/"):
        key = body["organization"]
    if message.record.key != key.encode():
        yield f"{message} has the key {message.record.key!r}"


@dataclass
class Listed:
    """What results say about events: E2, a command's events are there whole."""

    wanted: dict[str, tuple[str, int]] = field(default_factory=dict)

    def by(self, message: Message) -> Iterator[str]:
        """An accepted command's result; its events are found in the topics in between."""
        assert message.body is not None
        data = message.body["data"]
        if message.body["type"] != "billing.command.accepted.v1" or data["duplicate"]:
            return
        if min(data["eventCount"], 100) != len(data["events"]):
            yield f"{message} counts {data['eventCount']} events and lists {len(data['events'])}"
        for event in data["events"]:
            self.wanted[event["id"]] = event["subject"], event["sequence"]

    def see(self, message: Message) -> Iterator[str]:
        """An event."""
        assert message.body is not None
        body = message.body
        wanted = self.wanted.pop(body["id"], None)
        if wanted is not None and wanted != (body["subject"], body["sequence"]):
            yield f"{message} is number {body['sequence']}; the result of its command says {wanted}"

    def are_all_there(self) -> Iterator[str]:
        """Nothing is listed that was not published."""
        for id_, (subject, sequence) in self.wanted.items():
            yield f"number {sequence} of {subject} ({id_}) is listed in a result, but was not published"
