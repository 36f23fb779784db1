"""Deciding a batch in memory: each record in turn, by the stages of the contract. No clock, no I/O."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from aiokafka import ConsumerRecord

from worker.domain.book import Book, Key, Recorded
from worker.domain.commands import Action, BindProject, Command, DeleteAccount, UnbindProject
from worker.domain.decide import decide
from worker.domain.decision import Reason, Refusal, Rejected
from worker.domain.events import ProjectEvent
from worker.domain.values import Instant
from worker.store.book import Needs
from worker.store.inbox import InboxRow, Remembered
from worker.store.journal import JournalRow
from worker.wire.cause import Cause
from worker.wire.journal import pack_headers
from worker.wire.outgoing import Outgoing, Topic
from worker.wire.request import Request, Tick, Unreadable, Why
from worker.wire.results import WrittenResult
from worker.wire.writer import Writer


class CommandDefect(Exception):  # noqa: N818 - where the program failed, not what kind of failure
    """Deciding one record raised; the cause is chained."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"offset {offset}")
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Incoming:
    """A record, its instant, and what it turned out to be."""

    record: ConsumerRecord
    at: Instant
    what: Request | Tick | Unreadable


@dataclass(frozen=True, slots=True)
class BatchNeeds:
    """What has to be loaded before a batch is decided: state, and answers given before."""

    book: Needs
    ids: Collection[Key]


@dataclass(slots=True)
class Outcome:
    """What a batch brings about: to be saved, to be published, to be counted."""

    recorded: list[Recorded] = field(default_factory=list)
    journal: list[JournalRow] = field(default_factory=list)
    outgoing: list[Outgoing] = field(default_factory=list)
    inbox: list[InboxRow] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def needs_of(incoming: Sequence[Incoming]) -> BatchNeeds:
    """What the batch touches, whatever its outcome."""
    needs, ids = Needs(), set()
    for item in incoming:
        request = item.what
        if not isinstance(request, Request):
            continue
        ids.add((request.organization, request.id))
        if request.action is not None:
            _need(needs, request.organization, request.action, len(incoming))
    return BatchNeeds(needs, ids)


def _need(needs: Needs, organization: str, action: Action, batch_size: int) -> None:
    if isinstance(action, BindProject):
        needs.projects.add((organization, action.project))
        needs.accounts.add((organization, action.account))
    elif isinstance(action, UnbindProject):
        needs.projects.add((organization, action.project))
    else:
        needs.accounts.add((organization, action.account))
        if isinstance(action, DeleteAccount):
            needs.samples[organization, action.account] = batch_size


def decide_all(
    writer: Writer,
    book: Book,
    answered: dict[Key, Remembered],
    incoming: Sequence[Incoming],
    defects: Mapping[int, str],
    record_bytes_max: int,
) -> Outcome:
    """Decide the records one after the other. Raises CommandDefect for the first that makes the program fail.

    `defects` are offsets known to do so: they are answered INTERNAL_ERROR, with a copy in dead letters.
    """
    deciding = _Deciding(writer, book, answered, record_bytes_max)
    for item in incoming:
        try:
            records = deciding.decide(item, defects.get(item.record.offset))
            if any(len(record.value or b"") > record_bytes_max // 2 < record.bytes_max for record in records):
                _check_sizes(records, record_bytes_max)
        except Exception as error:
            raise CommandDefect(item.record.offset) from error
        deciding.append(item, records)
    return deciding.outcome


def _check_sizes(records: Sequence[Outgoing], record_bytes_max: int) -> None:
    """What is too large to publish must not be committed: it would stop its lane for ever."""
    for record in records:
        if record.bytes_max > record_bytes_max:
            msg = f"a record of {record.bytes_max} bytes for {record.topic}, which takes {record_bytes_max}"
            raise ValueError(msg)


@dataclass(slots=True)
class _Deciding:
    writer: Writer
    book: Book
    answered: dict[Key, Remembered]
    record_bytes_max: int
    outcome: Outcome = field(default_factory=Outcome)

    def decide(self, item: Incoming, defect: str | None) -> list[Outgoing]:
        """Everything that one record brings about, in the order in which it goes out."""
        request = item.what
        match request:
            case Unreadable():
                return [self._dead_letter(item, request)]
            case Tick():
                self.outcome.counts["tick"] += 1
                return []
            case Request():
                cause = self.writer.cause(request, item.at)
                if defect is not None:
                    copy = self._dead_letter(item, Unreadable(Why.INTERNAL_ERROR, defect))
                    return [*self._reject(request, cause, (Refusal(Reason.INTERNAL_ERROR),), uses_id=True), copy]
                return self._judge(request, cause)
            case _ as never:
                assert_never(never)

    def append(self, item: Incoming, records: list[Outgoing]) -> None:
        """Put the records down for journal and publisher."""
        offset, at = item.record.offset, item.at
        self.outcome.outgoing += records
        self.outcome.journal += [
            JournalRow(offset, index, at, record.topic, record.key, record.value, _kept_headers(record))
            for index, record in enumerate(records)
        ]

    def _judge(self, request: Request, cause: Cause) -> list[Outgoing]:
        """The five stages: key, type, id, data, rules. The first that refuses ends."""
        if request.key_refusals:
            return self._reject(request, cause, request.key_refusals, uses_id=False)
        remembered = None if request.dry_run else self.answered.get((request.organization, request.id))
        if remembered is not None and remembered.content_hash == request.content_hash:
            self.outcome.counts["duplicate"] += 1
            return [self.writer.repeated(cause, remembered.result, 0).record]
        if not request.is_known:
            return self._reject(request, cause, (Refusal(Reason.UNKNOWN_COMMAND),), uses_id=remembered is None)
        if remembered is not None:
            return self._reject(request, cause, (Refusal(Reason.COMMAND_ID_REUSED),), uses_id=False)
        if request.data_refusals:
            return self._reject(request, cause, request.data_refusals, uses_id=True)
        command = request.as_command()
        decision = decide(self.book, command, cause.at)
        if isinstance(decision, Rejected):
            return self._reject(request, cause, decision.refusals, uses_id=True)
        if request.dry_run:
            return self._evaluate(cause, self.book.copy().record(command.organization, decision.events, cause.at))
        return self._accept(request, command, cause, self.book.record(command.organization, decision.events, cause.at))

    def _accept(self, request: Request, command: Command, cause: Cause, recorded: list[Recorded]) -> list[Outgoing]:
        self.outcome.recorded += recorded
        events = [self.writer.event(cause, entry, index) for index, entry in enumerate(recorded)]
        result = self.writer.accepted(cause, events, self._version(command), len(events))
        self._use_id(request, cause, "accepted", result)
        self.outcome.counts["accepted"] += 1
        return [*(event.record for event in events), result.record, *self._states(cause, recorded, len(events) + 1)]

    def _evaluate(self, cause: Cause, recorded: list[Recorded]) -> list[Outgoing]:
        events = [self.writer.event(cause, entry, index) for index, entry in enumerate(recorded)]
        self.outcome.counts["evaluated"] += 1
        return [self.writer.evaluated(cause, events, (), 0).record]

    def _reject(self, request: Request, cause: Cause, refusals: Sequence[Refusal], *, uses_id: bool) -> list[Outgoing]:
        if request.dry_run:
            self.outcome.counts["evaluated"] += 1
            return [self.writer.evaluated(cause, (), refusals, 0).record]
        result = self.writer.rejected(cause, refusals, 0)
        if uses_id and (request.organization, request.id) not in self.answered:
            self._use_id(request, cause, "rejected", result)
        self.outcome.counts["rejected"] += 1
        return [result.record]

    def _use_id(self, request: Request, cause: Cause, outcome: str, result: WrittenResult) -> None:
        organization, id_, position = request.organization, request.id, request.position
        self.answered[organization, id_] = Remembered(request.content_hash, outcome, result.data)
        self.outcome.inbox.append(
            InboxRow(
                organization,
                id_,
                request.content_hash,
                position.partition,
                position.offset,
                cause.at,
                outcome,
                result.data,
            )
        )

    def _version(self, command: Command) -> int | None:
        """What `expectedversion` is compared with next time; None where it is not allowed."""
        action = command.action
        if isinstance(action, UnbindProject):
            return None
        account = self.book.accounts[command.organization, action.account]
        return account.sequence if account is not None else 0

    def _states(self, cause: Cause, recorded: list[Recorded], index: int) -> list[Outgoing]:
        """Each subject that the command changed, as it stands after it."""
        states: list[Outgoing] = []
        for key in dict.fromkeys(_subject(entry) for entry in recorded):
            is_project, organization, id_ = key
            if is_project:
                project = self.book.projects[organization, id_]
                assert project is not None  # noqa: S101 - an event was recorded for it
                states.append(self.writer.payer_state(cause, project, index + len(states)))
            else:
                account = self.book.accounts[organization, id_]
                assert account is not None  # noqa: S101
                states.append(self.writer.account_state(cause, account, index + len(states)))
        return states

    def _dead_letter(self, item: Incoming, why: Unreadable) -> Outgoing:
        self.outcome.counts["dead_letter"] += 1
        return self.writer.dead_letter(item.record, why, item.at, self.record_bytes_max)


def _subject(entry: Recorded) -> tuple[bool, str, str]:
    event = entry.event
    if isinstance(event, ProjectEvent):
        return True, entry.organization, event.project
    return False, entry.organization, event.account


def _kept_headers(record: Outgoing) -> bytes | None:
    """Only dead letters have headers that their value does not tell."""
    return pack_headers(record.headers) if record.topic is Topic.DEAD_LETTERS else None
