"""A subscriber among records of real histories: what the worker would publish, log by log, and who truly paid."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from schemas.subscriber import Answer, Gap, Nobody, NotYet, Payer, Payers, Unknown
from tests.domain.histories import Step
from worker.domain.book import Book, Recorded
from worker.domain.events import ProjectEvent
from worker.domain.values import Origin, Position
from worker.wire.cause import Cause
from worker.wire.horizons import Horizon
from worker.wire.outgoing import Outgoing
from worker.wire.writer import Writer

COMMANDS = "billing.commands"
LOGS_OF_A_TOPIC = 2
LOGS = [f"{topic}/{n}" for topic in ("binding-events", "payers", "horizons") for n in range(LOGS_OF_A_TOPIC)]
_MOMENT = timedelta(microseconds=1)


@dataclass
class Published:
    """The logs (`topic/partition`) as they fill up; one lane publishes all."""

    installation: UUID
    logs: dict[str, list[Outgoing]] = field(default_factory=lambda: {log: [] for log in LOGS})
    _tombstoned: set[tuple[str, str]] = field(default_factory=set)

    def publish(self, step: Step, n: int) -> None:
        """What one command or tick brought about, and the horizon after it."""
        writer = Writer(self.installation, "/billing")
        organization = step.command.organization if step.command else "billing-worker"
        origin = Origin(self.installation, organization, f"command-{n}", Position(COMMANDS, 0, n))
        cause = Cause(origin, "billing.test.v1", step.at, None, f"command-{n}", None, "/billing")
        recorded = [*step.due, *step.recorded]
        for index, entry in enumerate(recorded):
            if isinstance(entry.event, ProjectEvent):
                self._append(writer.event(cause, entry, index).record)
        for key in dict.fromkeys(_project_of(entry) for entry in recorded if isinstance(entry.event, ProjectEvent)):
            project = step.after.projects[key]
            assert project is not None
            self._append(writer.payer_state(cause, project, 0))
        for key, known in step.after.projects.items():
            if known is not None and known.tombstoned and key not in self._tombstoned:
                self._tombstoned.add(key)
                self._append(writer.payer_tombstone(cause, *key))
        self._append(writer.horizon(COMMANDS, 0, Horizon(step.at, n + 1, 1, self.installation)))

    @property
    def tombstoned(self) -> set[tuple[str, str]]:
        return self._tombstoned

    def ends(self) -> dict[str, int]:
        """Where the logs of events and states end."""
        return {log: len(records) for log, records in self.logs.items() if not log.startswith("horizons")}

    def ends_of(self, topic: str) -> dict[str, int]:
        """Where the logs of one topic end."""
        return {log: end for log, end in self.ends().items() if log.startswith(f"{topic}/")}

    def _append(self, record: Outgoing) -> None:
        partition = sum(record.key or b"") % LOGS_OF_A_TOPIC
        self.logs[f"{record.topic.value}/{partition}"].append(record)


def _project_of(entry: Recorded) -> tuple[str, str]:
    assert isinstance(entry.event, ProjectEvent)
    return entry.organization, entry.event.project


@dataclass
class Subscriber:
    """Reads the logs as it likes: in any order between them, again and again, and may lose events.

    What it loses it still counts as folded: it does not know.
    """

    published: Published
    payers: Payers
    gaps: int = 0
    lost: int = 0

    def read(self, log: str, count: int, is_lost: Callable[[], bool] = lambda: False) -> None:
        """The next records of a log; compacted ones of a topic that keeps only the latest may be skipped."""
        at = self.payers.positions.get(log, 0)
        for record in self.published.logs[log][at : at + count]:
            if record.topic.value == "binding-events" and is_lost():
                self.lost += 1
            else:
                self.fold(record)
            at += 1
        self.payers.reached({log: at})

    def read_again(self, log: str, count: int) -> None:
        """What was read last, once more, as after a rewind."""
        at = self.payers.positions.get(log, 0)
        for record in self.published.logs[log][max(at - count, 0) : at]:
            self.fold(record)

    def fold(self, record: Outgoing) -> None:
        key, value = record.key or b"", record.value
        match record.topic.value:
            case "binding-events":
                self.gaps += isinstance(self.payers.event(value or b""), Gap)
            case "payers":
                self.payers.state(key, value)
            case "horizons":
                self.payers.horizon(key, value or b"")

    def read_compacted(self) -> None:
        """The compacted topic as one who comes late finds it: of each key the latest record, no tombstones."""
        for log, records in list(self.published.logs.items()):
            if log.startswith("payers/"):
                latest = {record.key: record for record in records}
                for record in latest.values():
                    if record.value is not None:
                        self.fold(record)
                self.payers.reached({log: len(records)})

    def catch_up(self) -> None:
        """Read everything to the end, and let every horizon count."""
        for _ in range(2):
            for log in list(self.published.logs):
                self.read(log, len(self.published.logs[log]))
            while self.payers.asks_for_ends():
                self.payers.ends(self.published.ends())

    def restart(self) -> None:
        """Forget everything but what was dumped."""
        self.payers = Payers.load(list(self.payers.dump()))


@dataclass
class Wander:
    """A walk of a publisher and a subscriber through a history, by a seed."""

    steps: Sequence[Step]
    subscriber: Subscriber
    random: Random
    losing: float
    looked_up: dict[str, int] | None = None
    """Where logs ended when the subscriber asked, if it has not been told yet."""

    def go(self) -> Iterator[None]:
        """Stops after each move, to be asked."""
        subscriber, random, published = self.subscriber, self.random, self.subscriber.published
        n = 0
        while n < len(self.steps):
            match random.randrange(10):
                case 0 | 1 | 2:
                    for _ in range(random.randrange(1, 6)):
                        if n < len(self.steps):
                            published.publish(self.steps[n], n)
                            n += 1
                case 3 | 4 | 5:
                    subscriber.read(random.choice(LOGS), random.randrange(1, 12), self._loses)
                case 6:
                    subscriber.read_again(random.choice(LOGS), random.randrange(1, 8))
                case 7:
                    if self.looked_up is None and subscriber.payers.asks_for_ends():
                        self.looked_up = published.ends()
                case 8:
                    if self.looked_up is not None:
                        subscriber.payers.ends(self.looked_up)
                    self.looked_up = None
                case _:
                    subscriber.restart()
                    self.looked_up = None
            yield

    def _loses(self) -> bool:
        return self.random.random() < self.losing


Question = tuple[str, str, datetime]


def questions(steps: Sequence[Step]) -> list[Question]:
    """Every project, at every instant at which something happened, and just beside it."""
    last = steps[-1].after
    instants = {at for step in steps for at in (step.at - _MOMENT, step.at, step.at + _MOMENT)}
    return [(*key, at) for key in last.projects for at in sorted(instants)]


def truth(book: Book, question: Question) -> Payer | Nobody:
    """Who paid, by the book at the end of the history; `until` as it is there."""
    organization, name, at = question
    project = book.projects.get((organization, name))
    if project is None:
        return Nobody()
    for closed in project.closed:
        if closed.since <= at < closed.until:
            return Payer(closed.account, closed.binding, closed.currency, closed.since, closed.until)
    if (paying := project.open) is not None and paying.since <= at:
        return Payer(paying.account, paying.id, paying.currency, paying.since, None)
    return Nobody()


def is_wrong(answer: Answer, true: Payer | Nobody) -> bool:
    """Whether an answer says something that is not so. One that has not heard of the end yet is right."""
    if isinstance(answer, NotYet | Unknown):
        return False
    if isinstance(answer, Payer) and isinstance(true, Payer) and answer.until is None:
        return (answer.binding, answer.since, answer.account) != (true.binding, true.since, true.account)
    return answer != true
