"""Answers to whatever was read: decided by the rules in two books, and held against the models of the contract."""

from functools import cache
from typing import Final

from schemas import events
from schemas.envelope import EventEnvelope, ResultEnvelope
from schemas.results import CommandAccepted, CommandEvaluated, CommandRejected
from schemas.state import AccountState, PayerState
from tests.domain.given import APPROVAL, INSTALLATION, Lane, look_up, open_account, pending
from tests.wire.given import WRITER
from worker.domain.book import Book, Recorded
from worker.domain.commands import (
    ArchiveAccount,
    BindProject,
    CreateAccount,
    DeleteAccount,
    DeleteProject,
    LockProject,
    RegisterProject,
    ScheduleSuspension,
    SuspendAccount,
)
from worker.domain.decide import decide
from worker.domain.decision import Rejected
from worker.domain.events import ProjectEvent
from worker.domain.values import HoldReason, Instant, Rules
from worker.wire.cause import Cause
from worker.wire.outgoing import Outgoing
from worker.wire.request import Request, Unreadable
from worker.wire.strict_json import read_json

RECORD_BYTES_MAX: Final = 1_000_000


def check_answer(request: Request) -> None:
    """Raise if there is a book in which this command is not answered as the contract says."""
    for book, at in ((Book(INSTALLATION, Rules()), _peopled()[1]), _peopled()):
        cause = WRITER.cause(request, at)
        if refused := request.key_refusals or request.data_refusals:
            _check_rejected(cause, WRITER.rejected(cause, refused, 0).record)
        elif request.action is not None:
            _check_decision(request, cause, book.copy())


def _check_decision(request: Request, cause: Cause, book: Book) -> None:
    command = request.as_command()
    look_up(book, command)
    before = book.copy()
    decision = decide(book, command, cause.at)
    assert book == before
    if isinstance(decision, Rejected):
        _check_rejected(cause, WRITER.rejected(cause, decision.refusals, 0).record)
        return
    recorded = book.record(command.organization, decision.events, cause.at)
    written = [WRITER.event(cause, entry, index) for index, entry in enumerate(recorded)]
    for event in written:
        assert events.parse(_envelope(event.record)).data.as_json() == event.data
    if request.dry_run:
        ResultEnvelope[CommandEvaluated].model_validate(_envelope(WRITER.evaluated(cause, written, (), 0).record))
    else:
        ResultEnvelope[CommandAccepted].model_validate(_envelope(WRITER.accepted(cause, written, None, 0).record))
    _check_states(cause, book, recorded)


def _check_states(cause: Cause, book: Book, recorded: list[Recorded]) -> None:
    for entry in recorded:
        if isinstance(entry.event, ProjectEvent):
            project = book.projects[entry.organization, entry.event.project]
            assert project is not None
            EventEnvelope[PayerState].model_validate(_envelope(WRITER.payer_state(cause, project, 0)))
        else:
            account = book.accounts[entry.organization, entry.event.account]
            assert account is not None
            EventEnvelope[AccountState].model_validate(_envelope(WRITER.account_state(cause, account, 0)))


def _check_rejected(cause: Cause, record: Outgoing) -> None:
    ResultEnvelope[CommandRejected].model_validate(_envelope(record))
    assert cause.origin.command == _envelope(record)["causationid"]


def _envelope(record: Outgoing) -> dict[str, object]:
    """What a record says, read as strictly as what publishers send: it is put together by hand."""
    assert record.value is not None
    assert record.bytes_max <= RECORD_BYTES_MAX
    envelope = read_json(record.value)
    assert isinstance(envelope, dict), envelope if isinstance(envelope, Unreadable) else type(envelope)
    return envelope


@cache
def _peopled() -> tuple[Book, Instant]:
    """A book in which the names of tests, samples and dictionary stand for something, and the instant after it."""
    lane = Lane().given(
        open_account("main"),
        open_account("acme-main"),
        open_account("acme-research", "USD"),
        CreateAccount("fresh", "EUR", profile=pending("pm_1")),
        open_account("held"),
        open_account("old"),
        open_account("gone"),
        BindProject("website", "main"),
        BindProject("web-shop", "acme-main"),
        BindProject("shop", "held"),
        BindProject("vault", "main"),
        LockProject("vault", "Until the review is over."),
        RegisterProject("free"),
        RegisterProject("dead"),
        DeleteProject("dead"),
        SuspendAccount("held", HoldReason.FRAUD_SUSPECTED, "Please call us.", "h-1", None),
        ScheduleSuspension("main", HoldReason.NON_PAYMENT, Lane().now.replace(year=2030), "Please pay."),
        ArchiveAccount("old", None, APPROVAL),
        DeleteAccount("gone"),
    )
    return lane.book, lane.now
