"""What was published is read again as it happened."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeAlias, get_args

from hypothesis import given

from tests.domain.given import INSTALLATION, MINUTE, NOON
from tests.domain.histories import History, Step, histories, law, tell
from tests.wire.given import AT, cause
from worker.domain import accounts, projects
from worker.domain.accounts import Account
from worker.domain.book import Recorded
from worker.domain.events import Event, HoldPlaced, HoldReleased, PaymentProfileReported, PhaseChanged, ProjectEvent
from worker.domain.projects import Project
from worker.domain.values import Hold, HoldReason, Origin, PaymentProfile, Position
from worker.wire.cause import Cause
from worker.wire.events import FORMS
from worker.wire.published import Place, place_of, read_event
from worker.wire.published_events import READERS
from worker.wire.results import WrittenEvent
from worker.wire.writer import Writer

WRITER = Writer(INSTALLATION, "/billing")
UNTOLD = Hold("", HoldReason.ADMINISTRATIVE, "", blocks_rebind=False, placed_by=None, placed_at=AT)

State: TypeAlias = Account | Project


def published(step: Step) -> Iterator[tuple[Recorded, WrittenEvent]]:
    """What a command of a history, and the due work before it, brought to the topics."""
    number = (step.at - NOON) // MINUTE
    for index, entry in enumerate((*step.due, *step.recorded)):
        position = Position("billing.commands", 4, number)
        origin = Origin(INSTALLATION, entry.organization, f"command-{number}", position)
        caused = Cause(origin, "billing.any.v1", step.at, "ops", "correlation-1", None, "/billing")
        yield entry, WRITER.event(caused, entry, index)


def untold(event: Event) -> Event:
    """The event without what only other records tell."""
    match event:
        case HoldReleased():
            return replace(event, hold=replace(UNTOLD, id=event.hold.id))
        case PhaseChanged():
            return replace(event, holds=tuple(replace(hold, derived=False) for hold in event.holds))
        case PaymentProfileReported(reported=reported):
            return replace(
                event, reported=PaymentProfile("", reported.external_id, reported.status, None, reported.cause)
            )
        case _:
            return event


def fold(states: dict[str, State], organization: str, event: Event, recorded: Recorded) -> int:
    if isinstance(event, ProjectEvent):
        key = f"projects/{organization}/{event.project}"
        project = states.get(key)
        assert not isinstance(project, Account)
        states[key] = evolved = projects.evolve(project, event, organization, recorded.at)
        return evolved.sequence
    key = f"accounts/{organization}/{event.account}"
    account = states.get(key)
    assert not isinstance(account, Project)
    states[key] = changed = accounts.evolve(account, event, organization, recorded.at)
    return changed.sequence


@law
@given(histories())
def test_an_event_is_read_as_it_was_written(history: History) -> None:
    for step in tell(history):
        for index, (recorded, wrote) in enumerate(published(step)):
            read = read_event(wrote.record.value, INSTALLATION)

            assert untold(read.event) == untold(recorded.event)
            assert (read.organization, read.sequence, read.at) == (
                recorded.organization,
                recorded.sequence,
                recorded.at,
            )
            place = Place("billing.commands", 4, (step.at - NOON) // MINUTE, index)
            assert read.place == place == place_of(wrote.record.value)
            assert read.command == f"command-{place.offset}"


@law
@given(histories())
def test_an_event_that_was_read_is_written_the_same_again(history: History) -> None:
    for step in tell(history):
        for recorded, wrote in published(step):
            read = read_event(wrote.record.value, INSTALLATION)

            told = read.event
            if isinstance(told, HoldReleased):
                assert isinstance(recorded.event, HoldReleased)
                told = replace(told, hold=recorded.event.hold)
            assert FORMS[type(told)].data(told) == wrote.data


@law
@given(histories())
def test_the_fold_of_what_was_read_is_the_state_that_was_published(history: History) -> None:
    """Holds that were placed without an id are known again as such: another of their reason is not placed beside."""
    states: dict[str, State] = {}
    steps = tell(history)
    for step in steps:
        for recorded, wrote in published(step):
            read = read_event(wrote.record.value, INSTALLATION)
            assert fold(states, read.organization, read.event, recorded) == read.sequence

    for account in filter(None, steps[-1].after.accounts.values()) if steps else ():
        folded = states.pop(f"accounts/{account.organization}/{account.id}")
        assert isinstance(folded, Account)
        assert replace(folded, notices=None) == replace(account, notices=None)  # how far they are is no event
    for project in filter(None, steps[-1].after.projects.values()) if steps else ():
        folded = states.pop(f"projects/{project.organization}/{project.id}")
        assert isinstance(folded, Project)
        assert folded == replace(project, tombstoned=False)  # nor is the end of a record
    assert states == {}


def test_every_event_of_the_rules_is_read() -> None:
    assert READERS.keys() == {form.type for form in FORMS.values()}
    assert len(READERS) == len(get_args(Event))


def test_a_hold_whose_sender_named_it_is_not_taken_for_one_without_a_name() -> None:
    own = Origin(INSTALLATION, "acme", "command-1", Position("billing.commands", 3, 42)).hold_id(0)
    for name, index, is_derived in ((own, 0, True), (own, 1, False), ("h-1", 0, False)):
        placed = Recorded("acme", HoldPlaced("main", replace(UNTOLD, id=name)), 3, AT)

        read = read_event(WRITER.event(cause(), placed, index).record.value, INSTALLATION).event

        assert isinstance(read, HoldPlaced)
        assert read.hold.derived is is_derived
