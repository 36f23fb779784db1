"""The claims of the checker that real deployments are checked by, on the topics and tables of a history."""

from collections.abc import Iterator
from typing import Any

import orjson
from aiokafka import ConsumerRecord

from tests.simulation.workers import Cluster
from tests.system.checker.accounts import Accounts
from tests.system.checker.commands import Commands
from tests.system.checker.instants import Instants
from tests.system.checker.intervals import Intervals
from tests.system.checker.ledger import Ledger, mark_of
from tests.system.checker.letters import Letters
from tests.system.checker.marks import digest
from tests.system.checker.messages import Message, Place, opened
from tests.system.checker.projects import Projects
from tests.system.checker.readiness import Readiness
from tests.system.checker.report import Report
from tests.system.checker.sequences import Listed, Sequences, Versions, repeats_its_headers
from tests.system.checker.standing import Compacted, same
from tests.system.checker.views import Reading
from worker.wire.journal import unpack_headers
from worker.wire.outgoing import Topic


class Deep:
    """One look at everything. No lane may have stopped."""

    def __init__(self, cluster: Cluster, *, is_once: bool) -> None:
        self.report = Report()
        self._cluster = cluster
        self._is_once = is_once
        self._commands = Commands()
        self._instants = Instants()
        self._letters = Letters()
        self._accounts = Accounts()
        self._projects = Projects()
        self._ledger = _ledger_of(cluster)

    def look(self) -> None:
        """Raises Violated with whatever does not hold."""
        self._look_at_commands()
        self._look_at_results_and_events()
        self._look_at_states()
        self.report.add("E5", self._ledger.is_published())
        self.report.add("E5", same("inbox", self._commands.used, self._inbox()))
        self.report.close()

    def _look_at_commands(self) -> None:
        report = self.report
        for message in self._messages(Topic.DEAD_LETTERS):
            report.add("E8", self._letters.see(message))
            report.add("E1", self._commands.letter(message))
            self._cross_off(message)
        for record in self._records(Topic.COMMANDS):
            if record.offset >= self._cluster.postgres.tables.lanes[record.partition].next_offset:
                self._commands.waits(record)
                continue
            self._commands.lies(record)
            self._instants.lies(record)
            report.add("E8", self._letters.compare(record))
        report.add("E8", self._letters.are_of_records({}))

    def _look_at_results_and_events(self) -> None:
        report, listed, readiness, intervals = self.report, Listed(), Readiness(), Intervals()
        for message in self._messages(Topic.COMMAND_RESULTS):
            report.add("E1", self._commands.result(message))
            report.add("E2", listed.by(message))
            self._look_at_any(message)
        report.add("E1", self._commands.each_has_one_outcome())
        for topic in (Topic.ACCOUNT_EVENTS, Topic.BINDING_EVENTS):
            sequences = Sequences()
            for message in self._messages(topic):
                report.add("E3", sequences.see(message))
                report.add("E2", listed.see(message))
                report.add("E4", readiness.note(message))
                self._look_at_any(message)
                if topic is Topic.ACCOUNT_EVENTS:
                    report.add("E5", self._accounts.see(message))
                else:
                    report.add("E5", self._projects.see(message))
                    report.add("E4", intervals.see(message))
            report.add("E2", sequences.have_no_holes())
        report.add("E2", listed.are_all_there())
        report.add("E4", intervals.have_their_heirs())
        report.add("E4", readiness.holds())

    def _look_at_states(self) -> None:
        projects = {key: self._projects.state(key) for key in self._projects.known}
        for topic, states in ((Topic.ACCOUNTS, self._accounts.states), (Topic.PAYERS, projects)):
            versions, compacted = Versions(), Compacted(states.get)
            for message in self._messages(topic):
                self.report.add("E3", versions.see(message))
                self.report.add("E5", compacted.see(message))
                self._look_at_any(message)
            self.report.add("E5", compacted.lead_to(states))

    def _look_at_any(self, message: Message) -> None:
        if message.body is not None:
            self.report.add("E6", self._commands.names_its_command(message))
            self.report.add("E2", repeats_its_headers(message))
            self.report.add("E10", self._instants.see(message))
        self._cross_off(message)

    def _cross_off(self, message: Message) -> None:
        for claim, wrong in self._ledger.cross_off(message):
            self.report.add(claim, [wrong])

    def _messages(self, topic: Topic) -> Iterator[Message]:
        """Each record of a topic, the first time it comes."""
        marks: dict[bytes, bytes] = {}
        readings: dict[int, Reading] = {}
        for record in self._records(topic):
            reading = readings.setdefault(record.partition, Reading(f"{topic}/{record.partition}", marks))
            if reading.see(record):
                yield opened(record, self._cluster.partitions)
        for reading in readings.values():
            self.report.add("E2", reading.torn)
            if self._is_once:
                self.report.add("E7", reading.twice)

    def _records(self, topic: Topic) -> Iterator[ConsumerRecord]:
        name = self._cluster.names.name[topic]
        for log in self._cluster.broker.logs.values():
            if log.name.topic == name:
                for offset, _ in log.committed():
                    yield log.record(offset)

    def _inbox(self) -> Iterator[tuple[str, tuple[Any, ...]]]:
        for row in self._cluster.postgres.tables.inbox.values():
            answer = digest(orjson.dumps(orjson.loads(row.result)))
            yield f"{row.organization}/{row.command_id}", (Place(row.lane, row.offset), row.outcome, answer)


def _ledger_of(cluster: Cluster) -> Ledger:
    ledger = Ledger()
    for lane, rows in cluster.postgres.tables.journal.items():
        for row in rows:
            topic = Topic(row.topic)
            log = cluster.names.log_of(topic, row.key)
            headers = () if row.headers is None else unpack_headers(row.headers)
            place = Place(lane, row.offset, row.index)
            ledger.enter((lane, log.topic, log.partition), place, mark_of(row.key, row.value, headers))
    return ledger
