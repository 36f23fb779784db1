"""Compacted topics beside the tables and the journal: the last record of each key is what it was left at."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import Row

from worker.recovery.verify import subjects
from worker.recovery.verify.account_events import ACCOUNT_COLUMNS, account_shown
from worker.recovery.verify.finding import Check, Finding
from worker.recovery.verify.ground import Ground
from worker.recovery.verify.logs import Logs
from worker.recovery.verify.merging import Subject, side_by_side
from worker.recovery.verify.project_events import BINDING_COLUMNS, project_shown
from worker.recovery.verify.records import Json, Place, envelope_of, place_of
from worker.wire.cause import to_ms
from worker.wire.outgoing import Topic

_FORM: Final = """
    CREATE TABLE latest (
        key BLOB PRIMARY KEY, partition INTEGER, at INTEGER, stamp INTEGER, is_removed INTEGER, lane INTEGER,
        "offset" INTEGER, sequence INTEGER, value_mark BLOB, data_mark BLOB
    ) WITHOUT ROWID
"""
_NOTE: Final = "INSERT OR REPLACE INTO latest VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ALL: Final = "SELECT * FROM latest ORDER BY key"
_NOWHERE: Final = -1


class Latest(NamedTuple):
    """The last record of a key in its topic. `lane` is -1 where it names no place of ours; `stamp` is in ms."""

    key: bytes
    partition: int
    at: int
    stamp: int
    is_removed: bool
    lane: int
    offset: int
    sequence: int | None
    value_mark: bytes
    data_mark: bytes

    @property
    def where(self) -> str:
        """Where in its topic it lies."""
        return f"{self.partition}/{self.at}"


class CompactedStates:
    """One compacted topic: one pass over it, then one over the tables beside what it left."""

    def __init__(self, topic: Topic, logs: Logs) -> None:
        self._topic, self._logs = topic, logs
        what = "account" if topic is Topic.ACCOUNTS else "project"
        self.checks = (
            Check(
                f"the_topic_of_{topic.value}_ends_with_the_{what}s",
                f"The last record of each key in {topic.value} is the journal's last one of that {what}, and shows what"
                " the tables hold.",
            ),
        )

    def rows(self, ground: Ground) -> int:  # noqa: ARG002 - a topic is read whole
        """How many records the topic has."""
        return self._logs.size(self._topic)

    async def prove(self, ground: Ground, findings: Sequence[Finding]) -> None:
        """Note the last record of each key in a file, then go through both side by side."""
        (finding,) = findings
        finding.unit = "keys"
        with closing(sqlite3.connect("")) as file:  # a temporary file; only a few pages of it are kept in memory
            file.execute(_FORM)
            await self._note(ground, file)
            moved = 0
            async for subject in side_by_side(
                _stream(file),
                *self._tables(ground),
                subjects.latest_states(ground, self._topic),
            ):
                finding.looked_at += 1
                moved += self._prove(ground, finding, subject)
        if moved:
            finding.notes.append(f"{moved} that went on since, or are not published yet, were not compared")

    async def _note(self, ground: Ground, file: sqlite3.Connection) -> None:
        prefix = b"" if ground.organization is None else f"{ground.organization}/".encode()
        async for record in self._logs.read(self._topic):
            await ground.did(1)
            key = record.key or b""
            if not key.startswith(prefix):
                continue
            envelope = envelope_of(record.value)
            named = place_of(envelope) if envelope is not None else None
            place = named[1] if named and named[0] == ground.topic else Place(_NOWHERE, 0, 0)
            sequence = (envelope or {}).get("sequence")
            marks = _mark(record.value or b""), _mark_of_data((envelope or {}).get("data"))
            sequence = sequence if isinstance(sequence, int) else None
            where = record.partition, record.offset, record.timestamp
            file.execute(_NOTE, (key, *where, record.value is None, place.lane, place.offset, sequence, *marks))

    def _tables(self, ground: Ground) -> Sequence[AsyncIterator[Row[Any]]]:
        if self._topic is Topic.ACCOUNTS:
            return (
                subjects.table(ground, "accounts", ACCOUNT_COLUMNS, "account"),
                subjects.table(ground, "holds", "t.*", "account", ", t.sequence"),
            )
        return (
            subjects.table(ground, "projects", "t.*", "project"),
            subjects.table(ground, "bindings", BINDING_COLUMNS, "project", ", t.since"),
        )

    def _prove(self, ground: Ground, finding: Finding, subject: Subject) -> int:
        """Refute what differs; 1 for what cannot be compared, as it moved on."""
        last, rows, parts, written = subject.rows
        row, found = rows[0] if rows else None, last[0] if last else None
        journal = written[0] if written else None
        name = subject.key.decode(errors="backslashreplace")
        is_published = journal is None or journal.offset < self._logs.published.get(journal.lane, 0)
        went_on = found is not None and found.offset >= self._logs.published.get(found.lane, 0) and found.lane >= 0
        if not is_published or went_on:
            return 1
        if row is None:
            if found is not None and not found.is_removed:
                finding.refute(key=name, problem="of nobody that the tables know", partition_and_offset=found.where)
            return 0
        is_gone = self._topic is Topic.PAYERS and row.tombstoned
        if found is None or found.is_removed:
            if not is_gone and found is not None and self._is_since(ground, found, row):
                return 1
            if not is_gone:
                finding.refute(key=name, problem="the topic has no record of it", sequence=row.sequence)
            return 0
        if is_gone:
            finding.refute(key=name, problem="its record was to be removed", partition_and_offset=found.where)
            return 0
        self._compare(finding, name, found, journal, lambda: self._shown(row, parts))
        return 0

    def _is_since(self, ground: Ground, removal: Latest, row: Row[Any]) -> bool:
        """Whether a record was removed since: a tombstone names no place, but is stamped with its instant."""
        if self._topic is not Topic.PAYERS:
            return False
        lane = ground.lanes.get(row.lane)
        return lane is not None and removal.stamp >= to_ms(lane.latest_at)

    def _shown(self, row: Row[Any], parts: Sequence[Row[Any]]) -> Json:
        return account_shown(row, parts) if self._topic is Topic.ACCOUNTS else project_shown(row, parts)

    @staticmethod
    def _compare(
        finding: Finding, name: str, found: Latest, journal: Row[Any] | None, shown: Callable[[], Json]
    ) -> None:
        where = {"key": name, "partition_and_offset": found.where, "place": f"{found.lane}/{found.offset}"}
        if journal is not None and found.value_mark != _mark(journal.value or b""):
            place = f"{journal.lane}/{journal.offset}"
            finding.refute(**where, problem="not the journal's last record", journal=place, sequence=found.sequence)
            return
        try:
            state = shown()
        except subjects.BROKEN:
            finding.refute(**where, problem="its row cannot be read")
            return
        if found.data_mark != _mark_of_data(state):
            sequences = {"sequence": found.sequence, "kept": state.get("sequence")}
            finding.refute(**where, problem="it does not show what the tables hold", **sequences)


async def _stream(file: sqlite3.Connection) -> AsyncIterator[Latest]:
    for row in file.execute(_ALL):
        yield Latest(*row)


def _mark(value: bytes) -> bytes:
    return blake2b(value, digest_size=16).digest()


def _mark_of_data(data: Any) -> bytes:
    return _mark(orjson.dumps(data, option=orjson.OPT_SORT_KEYS))
