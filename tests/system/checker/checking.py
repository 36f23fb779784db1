"""All claims on one deployment: each topic is read once, its records are shown to every claim that concerns them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiokafka import TopicPartition
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.system.checker import tables
from tests.system.checker.accounts import Accounts
from tests.system.checker.commands import Commands
from tests.system.checker.cut import Cut, Horizon, Past
from tests.system.checker.instants import Instants
from tests.system.checker.intervals import AGREEMENT, Intervals
from tests.system.checker.ledger import Ledger
from tests.system.checker.letters import Letters
from tests.system.checker.marks import Log, digest_of, identity_of
from tests.system.checker.messages import Message, opened
from tests.system.checker.projects import Projects
from tests.system.checker.readiness import Readiness
from tests.system.checker.reading import Topics
from tests.system.checker.report import Figures, Report
from tests.system.checker.sequences import Listed, Sequences, Versions, repeats_its_headers
from tests.system.checker.standing import Compacted, same
from tests.system.checker.views import Reading, repeated, saw_the_same, shows_nothing_else, shows_what_is_published
from tests.system.deployment import Deployment
from worker.settings import PublishingMode

if TYPE_CHECKING:
    from tests.system.watched import Seen

Look = Callable[[Message], Iterable[tuple[str, str]]]
"""Shows a claim a record; returns what is wrong with it by claim."""


def of(claim: str, look: Callable[[Message], Iterable[str]]) -> Look:
    """What a claim finds, under its name."""
    return lambda message: ((claim, wrong) for wrong in look(message))


@dataclass
class Checking:
    """One check, topic by topic."""

    deployment: Deployment
    committed: Topics
    uncommitted: Topics
    cut: Cut
    ledger: Ledger
    seen: "Seen | None" = None
    report: Report = field(default_factory=Report)
    figures: Figures = field(default_factory=Figures)
    commands: Commands = field(default_factory=Commands)
    instants: Instants = field(default_factory=Instants)
    past: Past = field(default_factory=Past)
    letters: Letters = field(default_factory=Letters)
    accounts: Accounts = field(default_factory=Accounts)
    projects: Projects = field(default_factory=Projects)
    horizons: dict[int, Horizon] = field(default_factory=dict)
    tombstones: set[str] = field(default_factory=set)

    async def read_commands(self) -> None:
        """Dead letters, then the log that they are copies of, then the results."""
        topics = self.deployment.settings.topics
        await self._read(
            topics.dead_letters, [of("E8", self.letters.see), of("E1", self.commands.letter), self.ledger.cross_off]
        )
        logs = self.committed.logs(topics.commands)
        self.commands.starts = {log.partition: self.committed.starts[log] for log in logs}
        async for record in self.committed.read(topics.commands):
            if self.cut.lies_past(record.partition, record.offset):
                self.commands.waits(record)
            else:
                self.commands.lies(record)
                if not self.committed.starts[TopicPartition(record.topic, record.partition)]:
                    self.instants.lies(record)
                self.report.add("E8", self.letters.compare(record))
        self.report.add("E8", self.letters.are_of_records(self.commands.starts))
        self.figures.commands = self.commands.count
        self.figures.ticks = sum(map(len, self.commands.ticks.values()))

    async def read_results_and_events(self) -> None:
        """One outcome for each command; and the events, as the results list them and as the rules allow them."""
        topics, listed, readiness = self.deployment.settings.topics, Listed(), Readiness()
        await self._read(topics.command_results, [of("E1", self.commands.result), of("E2", listed.by), *self._common()])
        self.report.add("E1", self.commands.each_has_one_outcome())
        self.figures.outcomes = dict(sorted(self.commands.kinds.items()))
        intervals = Intervals()
        for topic, own in (
            (topics.account_events, [of("E5", self.accounts.see)]),
            (topics.binding_events, [of("E5", self.projects.see), of("E4", intervals.see)]),
        ):
            sequences = Sequences()
            looks = [of("E3", sequences.see), of("E2", listed.see), of("E4", readiness.note), *own, *self._common()]
            self.figures.events += await self._read(topic, looks)
            self.report.add("E2", sequences.have_no_holes())
        self.report.add("E2", listed.are_all_there())
        self.report.add("E4", intervals.have_their_heirs())
        self.report.add("E4", readiness.holds())

    async def read_horizons(self) -> None:
        """How far each lane says that it has come."""
        await self._read(self.deployment.settings.topics.horizons, [self._horizon], is_journaled=False)

    async def read_states(self) -> None:
        """The compacted topics lead to what the events do."""
        topics = self.deployment.settings.topics
        states = {key: self.projects.state(key) for key in self.projects.known}
        for topic, compacted, keys in (
            (topics.accounts, Compacted(self.accounts.states.get), self.accounts.states),
            (topics.payers, Compacted(states.get), states),
        ):
            versions = Versions()
            await self._read(topic, [of("E3", versions.see), of("E5", compacted.see), *self._common()])
            self.report.add("E5", compacted.lead_to(keys))
            self.tombstones |= compacted.tombstones
        self.report.add("E5", self.ledger.is_published())
        self.figures.journal_rows = self.ledger.rows

    async def compare_tables(self, connection: AsyncConnection) -> None:
        """What the database holds is what the events say, and SQL finds no rule broken."""
        for what, statement in AGREEMENT.items():
            found = (await connection.execute(text(statement))).all()
            self.report.add("E4", (f"SQL finds {what}: {tuple(row)}" for row in found))
        accounts, projects = self.accounts, self.projects.known
        expected: dict[str, tuple[dict[str, Any], Any]] = {
            "account": (
                {key: {n: v for n, v in state.items() if n != "holds"} for key, state in accounts.states.items()},
                tables.accounts,
            ),
            "hold": (
                {f"{key}#{hold['sequence']}": hold for key, holds in accounts.holds.items() for hold in holds},
                tables.holds,
            ),
            "phase": (
                {f"{key}#{phase[0]}": phase for key, phases in accounts.phases.items() for phase in phases},
                tables.phases,
            ),
            "project": (
                {key: project.row(is_tombstoned=key in self.tombstones) for key, project in projects.items()},
                tables.projects,
            ),
            "binding": (
                {f"{key}#{one.since}": one for key, project in projects.items() for one in project.intervals},
                tables.bindings,
            ),
            "inbox": (self.commands.used, tables.inbox),
        }
        for what, (documents, rows) in expected.items():
            self.report.add("E5", same(what, documents, [row async for row in rows(connection)]))
        self.figures.accounts, self.figures.projects = len(accounts.states), len(projects)
        self.figures.bindings = len(expected["binding"][0])

    @property
    def at_least_once(self) -> bool:
        """Whether records may come twice."""
        return self.deployment.settings.publishing.mode is PublishingMode.AT_LEAST_ONCE

    def _common(self) -> list[Look]:
        """What holds of everything that a command brings about."""

        def look(message: Message) -> Iterator[tuple[str, str]]:
            if message.body is not None:
                yield from (("E6", wrong) for wrong in self.commands.names_its_command(message))
                yield from (("E2", wrong) for wrong in repeats_its_headers(message))
                yield from (("E10", wrong) for wrong in self.instants.see(message))
            yield from self.ledger.cross_off(message)

        return [look]

    def _horizon(self, message: Message) -> Iterator[tuple[str, str]]:
        assert message.body is not None
        data = message.body["data"]
        horizon = self.horizons.setdefault(int((message.record.key or b"").rpartition(b"/")[2]), Horizon())
        if data["offset"] < horizon.offset and not self.at_least_once:
            yield "E3", f"{message} goes back to the offset {data['offset']}"
        horizon.offset, horizon.installation = max(data["offset"], horizon.offset), data["installation"]

    async def _read(self, topic: str, looks: list[Look], *, is_journaled: bool = True) -> int:
        """Show every record of a topic to the claims, the first of each identity; and compare what others saw."""
        marks: dict[bytes, bytes] = {}
        readings = {log: Reading(f"{topic}/{log.partition}", marks) for log in self.committed.logs(topic)}
        partitions = self.deployment.settings.topics.partitions
        async for record in self.committed.read(topic):
            if readings[TopicPartition(topic, record.partition)].see(record):
                message = opened(record, partitions)
                if self.cut.is_past(message):
                    self.past.see(message)
                else:
                    self._show(message, looks)
        for log, reading in readings.items():
            self.report.add("E2", reading.torn)
            if not self.at_least_once:
                self.report.add("E7", reading.twice)
            if self.seen is not None:
                live, end = self.seen.committed.logs.get(log, Log()), self.seen.committed.ends.get(log, 0)
                self.report.add("E7", saw_the_same(reading.name, live, reading.log, end))
        await self._compare_uncommitted(topic, readings, marks, is_journaled=is_journaled)
        self.figures.records += sum(len(reading.log) for reading in readings.values())
        return len(marks)

    def _show(self, message: Message, looks: Iterable[Look]) -> None:
        for look in looks:
            for claim, wrong in look(message):
                self.report.add(claim, [wrong])

    async def _compare_uncommitted(
        self, topic: str, readings: dict[TopicPartition, Reading], marks: dict[bytes, bytes], *, is_journaled: bool
    ) -> None:
        views: dict[TopicPartition, Log] = defaultdict(Log)
        if self.seen is not None:
            views = {log: view for log, view in self.seen.uncommitted.logs.items() if log.topic == topic}
        else:
            async for record in self.uncommitted.read(topic):
                log = TopicPartition(topic, record.partition)
                views[log].append(record.offset, identity_of(record), digest_of(record))
        for log, view in views.items():
            name, end, published = f"{topic}/{log.partition}", self.committed.ends[log], set(readings[log].log.offsets)
            self.report.add("E2", shows_what_is_published(name, view, marks))
            if is_journaled:
                self.report.add("E6", shows_nothing_else(name, view, marks, end))
            self.figures.aborted += sum(1 for offset in view.offsets if offset < end and offset not in published)
        self.figures.repeated += repeated(list(views.values()))
