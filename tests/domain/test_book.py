from dataclasses import replace

import pytest

from tests.domain.given import INSTALLATION, NOON, UNBIND, Lane, amber_pays, minute, open_account, suspend
from worker.domain.accounts import Usage
from worker.domain.book import Book
from worker.domain.commands import BindProject, Command, DeleteAccount, UnbindProject
from worker.domain.decide import decide
from worker.domain.events import BindingReleased, PayerMissing, ProjectRegistered
from worker.domain.projects import evolve
from worker.domain.values import BindingEnd, Position, Rules, Unpaid

ACME_AMBER, ACME_BIRCH = ("acme", "amber"), ("acme", "birch")


def rebound(times: int) -> Lane:
    """`atlas` goes back and forth between two accounts: one open binding, `times` closed ones."""
    lane = Lane().given(open_account("amber"), open_account("birch"))
    return lane.given(*(BindProject("atlas", ("amber", "birch")[n % 2]) for n in range(times + 1)))


def test_events_of_a_subject_are_numbered_without_holes() -> None:
    lane = Lane().given(open_account("amber"), BindProject("atlas", "amber"), open_account("birch"), suspend())

    numbers = [(type(record.event).__name__, record.sequence) for record in lane.journal]

    assert numbers == [
        ("AccountCreated", 1),
        ("PhaseChanged", 2),
        ("PhaseChanged", 3),
        ("ProjectRegistered", 1),
        ("BindingEstablished", 2),
        ("AccountCreated", 1),
        ("PhaseChanged", 2),
        ("PhaseChanged", 3),
        ("HoldPlaced", 4),
        ("PhaseChanged", 5),
    ]
    assert {record.organization for record in lane.journal} == {"acme"}
    assert lane.journal[-1].at == lane.now


def test_an_account_pays_for_as_many_projects_as_are_bound_to_it() -> None:
    lane = Lane().given(open_account("amber"), open_account("birch"))
    assert lane.book.usage_of(ACME_AMBER) == Usage(0, None)

    lane.given(BindProject("atlas", "amber"), BindProject("borealis", "amber"))
    assert lane.book.usage_of(ACME_AMBER) == Usage(2, None)

    lane.given(BindProject("atlas", "birch"))
    assert lane.book.usage_of(ACME_AMBER) == Usage(1, minute(5))
    assert lane.book.usage_of(ACME_BIRCH) == Usage(1, None)

    lane.given(UnbindProject("borealis"), BindProject("borealis", "amber"))
    assert lane.book.usage_of(ACME_AMBER) == Usage(1, minute(6))


def test_a_sample_of_projects_is_the_first_ten_in_byte_order() -> None:
    lane = Lane().given(open_account("amber"), *(BindProject(f"p{n}", "amber") for n in range(12)))
    lane.given(UnbindProject("p1"))

    [refusal] = lane.refused(DeleteAccount("amber"))

    sample = ["p0", "p10", "p11", "p2", "p3", "p4", "p5", "p6", "p7", "p8"]
    assert refusal.details == {"count": 11, "sample": sample}


def test_what_was_not_looked_up_is_never_taken_for_not_found() -> None:
    command = Command("acme", "command-1", Position("billing.commands", 4, 1), UnbindProject("atlas"))

    with pytest.raises(KeyError):
        decide(Book(INSTALLATION, Rules()), command, NOON)


def test_a_payer_that_was_not_looked_up_is_never_taken_for_nobody() -> None:
    lane = amber_pays()
    del lane.book.accounts[ACME_AMBER]

    with pytest.raises(KeyError):
        lane.send(UNBIND)


def test_a_project_remembers_its_closed_intervals_oldest_first() -> None:
    lane = rebound(3)

    assert [(i.account, i.since, i.until, i.end) for i in lane.project().closed] == [
        ("amber", minute(3), minute(4), BindingEnd.SUPERSEDED),
        ("birch", minute(4), minute(5), BindingEnd.SUPERSEDED),
        ("amber", minute(5), minute(6), BindingEnd.SUPERSEDED),
    ]
    assert (lane.project().registered_at, lane.project().closed_since) == (minute(3), minute(3))


def test_a_project_remembers_its_last_two_hundred_closed_intervals() -> None:
    lane = rebound(200)
    assert len(lane.project().closed) == 200
    assert lane.project().closed_since == minute(3)

    lane = rebound(202)
    assert len(lane.project().closed) == 200
    assert lane.project().closed[0].since == minute(5)
    assert lane.project().closed_since == minute(5)


def test_after_a_gap_the_timeline_is_complete_from_the_end_of_the_last_interval_that_was_cut_off() -> None:
    lane = Lane().given(open_account("amber"), BindProject("atlas", "amber"), UnbindProject("atlas"))
    assert lane.now == minute(3)

    lane.given(*(order for _ in range(200) for order in (BindProject("atlas", "amber"), UnbindProject("atlas"))))

    assert lane.project().closed[0].since == minute(4)
    assert lane.project().closed_since == minute(3)


def test_a_lock_ends_with_its_binding() -> None:
    locked = replace(rebound(0).project(), locked=True)
    binding = locked.open
    assert binding
    released = BindingReleased(binding.id, "atlas", "amber", minute(3), minute(9), BindingEnd.PROJECT_DELETED, "EUR")

    assert not evolve(locked, released, "acme", minute(9)).locked


def test_an_event_of_a_project_that_nobody_knows_is_a_defect() -> None:
    with pytest.raises(ValueError, match="PayerMissing of a project that nobody knows"):
        evolve(None, PayerMissing("atlas", NOON, Unpaid.UNBOUND), "acme", NOON)


def test_the_end_of_a_binding_that_is_not_open_is_a_defect() -> None:
    registered = evolve(None, ProjectRegistered("atlas"), "acme", NOON)
    released = BindingReleased("b-1", "atlas", "amber", NOON, minute(1), BindingEnd.UNBOUND, "EUR")

    with pytest.raises(ValueError, match="not open"):
        evolve(registered, released, "acme", minute(1))
