"""When something is due, and how what is done is named and counted."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.domain.given import (
    HASTY,
    INSTALLATION,
    NOON,
    UNBIND,
    Lane,
    amber_pays,
    archive,
    attach,
    minute,
    open_account,
    pending,
    schedule,
    suspend,
    two_accounts,
    valid,
)
from worker.domain.commands import CreateAccount, DeleteAccount, DeleteProject, RegisterProject
from worker.domain.due import (
    DUE_ACCOUNTS_MAX,
    NOTICES_MAX,
    TOMBSTONES_MAX,
    account_due_at,
    fall_due,
    project_due_at,
)
from worker.domain.events import HoldPlaced
from worker.domain.values import HoldReason, Origin, Position, Rules

ACME_AMBER = ("acme", "amber")
TICK = Origin(INSTALLATION, "billing-worker", "tick-1", Position("billing.commands", 4, 99))


def test_the_limits_are_part_of_the_rules() -> None:
    assert (DUE_ACCOUNTS_MAX, NOTICES_MAX, TOMBSTONES_MAX) == (100, 500, 500)


def test_nothing_is_ever_due_for_an_account_that_rests() -> None:
    assert account_due_at(Lane().given(open_account()).account()) is None


def test_the_least_of_all_that_is_due_counts() -> None:
    lane = Lane(HASTY).given(CreateAccount("amber", "EUR", profile=valid("card-1", minute(30))))
    assert account_due_at(lane.account()) == minute(30)

    lane.given(schedule(due_at=minute(40)))
    assert account_due_at(lane.account()) == minute(30)

    lane.given(schedule(HoldReason.ADMINISTRATIVE, due_at=minute(20)))
    assert account_due_at(lane.account()) == minute(20)


def test_a_waiting_or_pending_profile_is_never_due() -> None:
    lane = Lane().given(CreateAccount("amber", "EUR", profile=pending("card-1", minute(30))))
    assert account_due_at(lane.account()) is None

    lane.given(attach(valid("card-2")), attach(pending("card-3", minute(30))))
    assert account_due_at(lane.account()) is None


@pytest.mark.parametrize("end", [DeleteAccount("amber"), archive()])
def test_nothing_is_due_for_an_account_whose_life_is_over(end: DeleteAccount) -> None:
    lane = Lane(HASTY).given(CreateAccount("amber", "EUR", profile=valid("card-1", minute(30))))

    lane.given(schedule(due_at=minute(20)), end)

    assert account_due_at(lane.account()) is None


def test_what_is_not_due_yet_does_not_happen() -> None:
    lane = Lane(HASTY).given(open_account(), schedule(due_at=minute(20)))

    assert fall_due(lane.book, ACME_AMBER, minute(20) - timedelta(microseconds=1), TICK) == []
    assert fall_due(lane.book, ACME_AMBER, minute(20), TICK) != []


def test_nothing_is_due_for_an_account_that_nobody_knows() -> None:
    lane = Lane()
    lane.book.accounts[ACME_AMBER] = None

    assert fall_due(lane.book, ACME_AMBER, NOON, TICK) == []


def test_what_falls_due_is_told_but_not_recorded() -> None:
    lane = Lane(HASTY).given(open_account(), schedule(due_at=minute(20)))
    before = lane.book.copy()

    fall_due(lane.book, ACME_AMBER, minute(20), TICK)

    assert lane.book == before


def test_a_hold_that_falls_due_is_named_after_what_made_it_do_so_for_its_own_organization() -> None:
    lane = Lane(HASTY).given(open_account(), schedule(due_at=minute(20)))

    def placed(origin: Origin) -> str:
        event = fall_due(lane.book, ACME_AMBER, minute(20), origin)[0]
        assert isinstance(event, HoldPlaced)
        return event.hold.id

    assert placed(TICK) == replace(TICK, organization="acme").hold_id(0)
    assert placed(replace(TICK, first_index=7)) == replace(TICK, organization="acme").hold_id(7)


def test_what_a_command_places_is_counted_after_what_was_due() -> None:
    lane = Lane(HASTY).given(open_account(), schedule(due_at=minute(9)))
    lane.sent = 20

    lane.given(suspend(HoldReason.FRAUD_SUSPECTED))

    assert len(lane.due) == 2
    origin = Origin(INSTALLATION, "acme", "command-21", Position("billing.commands", 4, 21))
    assert [hold.id for hold in lane.account().holds] == [origin.hold_id(0), origin.hold_id(2)]


def test_due_work_stops_at_a_hundred_accounts_and_goes_on_next_time() -> None:
    lane = Lane(HASTY)
    for n in range(101):
        lane.given(CreateAccount(f"a{n}", "EUR", profile=valid("card-1", minute(200 + n))))
    lane.sent = 400

    lane.tick()
    assert len({record.event for record in lane.due if isinstance(record.event, HoldPlaced)}) == 100
    lane.tick()
    assert [type(record.event) for record in lane.due].count(HoldPlaced) == 1


def test_the_record_of_a_deleted_project_is_removed_thirty_days_later() -> None:
    lane = amber_pays().given(DeleteProject("atlas"))

    assert project_due_at(lane.project(), Rules()) == minute(4) + timedelta(days=30)
    assert project_due_at(lane.project(), HASTY) == minute(24)


@pytest.mark.parametrize("lane", [amber_pays(), amber_pays().given(UNBIND)])
def test_the_record_of_a_project_that_is_not_deleted_stays(lane: Lane) -> None:
    assert project_due_at(lane.project(), Rules()) is None


def test_a_record_is_removed_once() -> None:
    lane = Lane(HASTY).given(RegisterProject("atlas"), DeleteProject("atlas"))
    lane.tick(19)
    assert not lane.project().tombstoned

    lane.tick()

    assert lane.project().tombstoned
    assert lane.book.tombstoned == lane.book.copy().tombstoned == {("acme", "atlas")}
    assert lane.project().sequence == 3
    assert project_due_at(lane.project(), HASTY) is None


def test_a_record_of_a_project_that_is_there_cannot_be_removed() -> None:
    with pytest.raises(ValueError, match="not deleted"):
        amber_pays().book.tombstone(("acme", "atlas"))


def test_nothing_is_due_where_nothing_happens() -> None:
    assert two_accounts().tick(10_000) == []
