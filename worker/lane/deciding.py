"""Deciding a batch in memory: what is due, then each record by the stages of the contract. No clock, no I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from worker.domain.book import Book, Key, Recorded
from worker.domain.commands import Command
from worker.domain.decide import decide
from worker.domain.decision import Reason, Refusal, Rejected
from worker.domain.due import account_due_at, project_due_at
from worker.domain.events import ProjectEvent
from worker.lane.due import NOTHING_DUE, DueWork, do_due_work
from worker.lane.needs import Incoming, accounts_of, projects_of
from worker.lane.outcome import Outcome
from worker.store.due import Due
from worker.store.inbox import InboxRow, Remembered
from worker.wire.cause import Cause
from worker.wire.outgoing import Outgoing
from worker.wire.request import Request, Tick, Unreadable, Why
from worker.wire.results import WrittenResult
from worker.wire.writer import Writer

Subject: TypeAlias = tuple[bool, str, str]
"""Whether it is a project, its organization, its id."""


class CommandDefect(Exception):  # noqa: N818 - where the program failed, not what kind of failure
    """Deciding one record raised; the cause is chained."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"offset {offset}")
        self.offset = offset


@dataclass(slots=True)
class Deciding:
    """A batch in its book. `outcome` is what it has brought about so far.

    `defects` are offsets of records known to make the program fail: they are answered INTERNAL_ERROR, with a copy in
    dead letters.
    """

    writer: Writer
    book: Book
    answered: dict[Key, Remembered]
    defects: Mapping[int, str]
    record_bytes_max: int
    outcome: Outcome

    def decide(self, incoming: Sequence[Incoming], due: Due | None) -> None:
        """Decide the records one after the other; `due` is what has to be done before the first.

        Ends before a record by whose instant something has fallen due that is not in the book: where a batch is cut
        must not show in what is decided. Raises CommandDefect for the first record that makes the program fail.
        """
        outcome = self.outcome
        for item in incoming:
            if due is None and outcome.is_due(item.at):
                break
            try:
                records = self._decide(item, due, self.defects.get(item.record.offset))
                _check_sizes(records, self.record_bytes_max)
            except Exception as error:
                raise CommandDefect(item.record.offset) from error
            outcome.append(item, records)
            due = None

    def _decide(self, item: Incoming, due: Due | None, defect: str | None) -> list[Outgoing]:
        """Everything that one record brings about: events (due ones first), the answer, tombstones, states."""
        request = item.what
        if isinstance(request, Unreadable):
            self.outcome.outcomes.append("dead_letter")
            return [self._dead_letter(item, request)]
        cause = self.writer.cause(request, item.at)
        if defect is not None and isinstance(request, Request):
            copy = self._dead_letter(item, Unreadable(Why.INTERNAL_ERROR, defect))
            refused = (Refusal(Reason.INTERNAL_ERROR),)
            return [self._reject(request, cause, refused, 0, uses_id=not request.key_refusals), copy]
        work = self._do_due_work(cause, due, self._touched(request)) if due is not None else NOTHING_DUE
        itself = cause.by_itself() if work.recorded else cause
        records = [self.writer.event(itself, entry, index).record for index, entry in enumerate(work.recorded)]
        recorded: Sequence[Recorded] = ()
        match request:
            case Tick():
                self.outcome.outcomes.append("tick")
            case Request():
                self.outcome.ignored.update(request.ignored)
                recorded, answer = self._judge(request, cause, len(records))
                records += answer
            case _ as never:
                assert_never(never)
        records += [self.writer.payer_tombstone(cause, *project) for project in work.tombstones]
        causes = {_subject(entry): itself for entry in work.recorded} | {_subject(entry): cause for entry in recorded}
        return [*records, *self._states(causes, len(records))]

    def _do_due_work(self, cause: Cause, due: Due, touched: Sequence[Key]) -> DueWork:
        work = do_due_work(self.book, cause, due, touched)
        self.outcome.recorded += work.recorded
        self.outcome.due_at = due.next_at
        for key in due.accounts:  # with more notices than are told at once an account stays due, and has no event
            if (account := self.book.accounts[key]) is not None:
                self.outcome.fall_due_by(account_due_at(account))
        return work

    def _touched(self, request: Request | Tick) -> list[Key]:
        """The accounts whose own due work comes before this command, however much else is due."""
        if isinstance(request, Tick) or request.action is None or request.key_refusals:
            return []  # what is misplaced names accounts of another lane: their due work is that lane's alone
        organization, action = request.organization, request.action
        named = () if self.book.is_overlong else projects_of(organization, action)
        projects = [self.book.projects[key] for key in named]
        payers = [(organization, project.open.account) for project in projects if project and project.open]
        return [*accounts_of(organization, action), *payers]

    def _judge(self, request: Request, cause: Cause, index: int) -> tuple[Sequence[Recorded], list[Outgoing]]:
        """The five stages: key, type, id, data, rules. The first that refuses ends.

        Returns what was recorded, and its events and the answer as records numbered from `index` on.
        """
        if request.key_refusals:
            return (), [self._reject(request, cause, request.key_refusals, index, uses_id=False)]
        remembered = None if request.dry_run else self.answered.get((request.organization, request.id))
        if remembered is not None and remembered.is_of(request.content_hash):
            self.outcome.outcomes.append("duplicate")
            return (), [self.writer.repeated(cause, remembered.result, index).record]
        is_new = remembered is None
        if not request.is_known:
            return (), [self._reject(request, cause, (Refusal(Reason.UNKNOWN_COMMAND),), index, uses_id=is_new)]
        if not is_new:
            return (), [self._reject(request, cause, (Refusal(Reason.COMMAND_ID_REUSED),), index, uses_id=False)]
        if request.data_refusals:
            return (), [self._reject(request, cause, request.data_refusals, index, uses_id=True)]
        command = request.as_command()
        decision = decide(self.book, command, cause.at, index)
        if isinstance(decision, Rejected):
            return (), [self._reject(request, cause, decision.refusals, index, uses_id=True)]
        if request.dry_run:
            recorded = self.book.copy().record(command.organization, decision.events, cause.at)
            return (), [self._evaluate(cause, recorded, index)]
        recorded = self.book.record(command.organization, decision.events, cause.at)
        self.outcome.recorded += recorded
        return recorded, self._accept(request, command, cause, recorded, index)

    def _accept(
        self, request: Request, command: Command, cause: Cause, recorded: Sequence[Recorded], index: int
    ) -> list[Outgoing]:
        events = [self.writer.event(cause, entry, number) for number, entry in enumerate(recorded, index)]
        result = self.writer.accepted(cause, events, self._version(command), index + len(events))
        self._use_id(request, cause, "accepted", result)
        self.outcome.outcomes.append("accepted")
        return [*(event.record for event in events), result.record]

    def _evaluate(self, cause: Cause, recorded: Sequence[Recorded], index: int) -> Outgoing:
        events = [self.writer.event(cause, entry, number) for number, entry in enumerate(recorded, index)]
        self.outcome.outcomes.append("evaluated")
        return self.writer.evaluated(cause, events, (), index).record

    def _reject(
        self, request: Request, cause: Cause, refusals: Sequence[Refusal], index: int, *, uses_id: bool
    ) -> Outgoing:
        if request.dry_run:
            self.outcome.outcomes.append("evaluated")
            return self.writer.evaluated(cause, (), refusals, index).record
        result = self.writer.rejected(cause, refusals, index)
        if uses_id and (request.organization, request.id) not in self.answered:
            self._use_id(request, cause, "rejected", result)
        self.outcome.outcomes.append("rejected")
        return result.record

    def _use_id(self, request: Request, cause: Cause, outcome: str, result: WrittenResult) -> None:
        key, hash_, place = (request.organization, request.id), request.content_hash, request.position
        self.answered[key] = Remembered(hash_, outcome, result.data)
        row = InboxRow(*key, hash_, place.partition, place.offset, cause.at, outcome, result.data)
        self.outcome.inbox.append(row)

    def _version(self, command: Command) -> int | None:
        """What `expectedversion` is compared with next time; None where it is not allowed."""
        compared = accounts_of(command.organization, command.action)
        account = self.book.accounts[compared[0]] if compared else None
        return account.sequence if account is not None else None

    def _states(self, causes: Mapping[Subject, Cause], index: int) -> list[Outgoing]:
        """Each subject that changed, as it stands after the command; when something falls due for it is noted.

        Its cause is that of its last event: due work is nobody's, also where the command is another organization's.
        """
        states: list[Outgoing] = []
        for (is_project, organization, id_), cause in causes.items():
            if is_project:
                project = self.book.projects[organization, id_]
                assert project is not None  # noqa: S101 - an event was recorded for it
                self.outcome.fall_due_by(project_due_at(project, self.book.rules))
                states.append(self.writer.payer_state(cause, project, index + len(states)))
            else:
                account = self.book.accounts[organization, id_]
                assert account is not None  # noqa: S101
                self.outcome.fall_due_by(account_due_at(account))
                states.append(self.writer.account_state(cause, account, index + len(states)))
        return states

    def _dead_letter(self, item: Incoming, why: Unreadable) -> Outgoing:
        self.outcome.dead_letters[why.reason] += 1
        return self.writer.dead_letter(item.record, why, item.at, self.record_bytes_max)


def _check_sizes(records: Sequence[Outgoing], record_bytes_max: int) -> None:
    """What is too large to publish must not be committed: it would stop its lane for ever."""
    for record in records:
        if len(record.value or b"") > record_bytes_max // 2 and record.bytes_max > record_bytes_max:
            msg = f"a record of {record.bytes_max} bytes for {record.topic}, which takes {record_bytes_max}"
            raise ValueError(msg)


def _subject(entry: Recorded) -> Subject:
    event = entry.event
    if isinstance(event, ProjectEvent):
        return True, entry.organization, event.project
    return False, entry.organization, event.account
