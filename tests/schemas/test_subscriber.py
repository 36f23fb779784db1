"""A subscriber's answers, record by record."""

import json
from datetime import datetime, timedelta

import pytest

from schemas.partitions import partition_of
from schemas.state import TIMELINE_CLOSED_MAX
from schemas.subscriber import Dropped, Gap, Nobody, NotYet, Payer, Payers, Taken, Unknown, Why
from tests.schemas.payer_records import (
    KEY,
    LANE,
    LOG,
    binding,
    closed,
    established,
    final,
    horizon,
    minute,
    record,
    registered,
    state,
)

GAP, TAKEN, DROPPED = Unknown(Why.GAP), Taken(), Dropped()


def main_paid(since: int, until: int | None = None) -> Payer:
    return Payer("main", binding(since), "EUR", minute(since), None if until is None else minute(until))


@pytest.fixture
def payers() -> Payers:
    return Payers(whole=True)


@pytest.fixture
def bound(payers: Payers) -> Payers:
    """Main pays since minute 1."""
    assert payers.event(registered()) == TAKEN
    assert payers.event(established(2, 1)) == TAKEN
    return payers


def test_the_payer_of_an_instant_is_final_once_the_horizon_is_past_it(bound: Payers) -> None:
    assert bound.paid("acme", "website", minute(5)) == NotYet(None, main_paid(1))

    final(bound, through=5)

    assert bound.paid("acme", "website", minute(5)) == main_paid(1)
    assert bound.paid("acme", "website", minute(6)) == NotYet(minute(5), main_paid(1))
    assert bound.paid("acme", "website", minute(1)) == main_paid(1)
    assert bound.paid("acme", "website", minute(1) - timedelta(microseconds=1)) == Nobody()


def test_an_interval_ends_before_its_until(bound: Payers) -> None:
    bound.event(closed("superseded", 3, 1, 4))
    bound.event(established(4, 4, "other"))
    bound.event(closed("released", 5, 4, 7, "other"))
    final(bound, through=20)

    assert bound.paid("acme", "website", minute(4) - timedelta(microseconds=1)) == main_paid(1, 4)
    assert bound.paid("acme", "website", minute(4)) == Payer("other", binding(4), "EUR", minute(4), minute(7))
    assert bound.paid("acme", "website", minute(7)) == Nobody()


def test_a_later_event_of_the_project_makes_what_was_before_final_without_a_horizon(bound: Payers) -> None:
    bound.event(closed("released", 3, 1, 4))

    assert bound.paid("acme", "website", minute(3)) == main_paid(1, 4)
    assert bound.paid("acme", "website", minute(4)) == NotYet(None, Nobody())


def test_a_horizon_that_is_read_before_its_events_does_not_count(bound: Payers) -> None:
    bound.horizon(LANE, horizon(9))
    assert bound.asks_for_ends()
    bound.ends({LOG: 3, "billing.payers/0": 1})
    bound.reached({LOG: 2, "billing.payers/0": 1})

    assert bound.paid("acme", "website", minute(5)) == NotYet(None, main_paid(1))

    bound.event(closed("released", 3, 1, 4))
    bound.reached({LOG: 3})

    assert bound.paid("acme", "website", minute(5)) == Nobody()


def test_a_horizon_told_while_ends_are_looked_up_waits_for_the_next_ends(bound: Payers) -> None:
    bound.horizon(LANE, horizon(3))
    assert bound.asks_for_ends()
    bound.horizon(LANE, horizon(9))
    bound.ends({LOG: 2})
    bound.reached({LOG: 2})

    assert bound.through("acme") == minute(3)
    assert bound.asks_for_ends()


def test_ends_are_asked_for_until_they_are_told(bound: Payers) -> None:
    bound.horizon(LANE, horizon(3))
    assert bound.asks_for_ends()
    assert bound.asks_for_ends()
    bound.ends({LOG: 2})
    assert not bound.asks_for_ends()
    bound.reached({LOG: 2})

    assert bound.through("acme") == minute(3)
    assert not bound.asks_for_ends()


def test_a_horizon_that_is_not_ahead_is_dropped(payers: Payers) -> None:
    final(payers, through=5)

    assert payers.horizon(LANE, horizon(5)) == DROPPED
    assert payers.horizon(LANE, horizon(4)) == DROPPED
    assert not payers.asks_for_ends()
    with pytest.raises(ValueError, match="none was given"):
        payers.ends({})


def test_a_horizon_of_another_lane_says_nothing_of_the_organization(bound: Payers) -> None:
    other = (partition_of("acme", 12) + 1) % 12
    bound.horizon(b"billing.commands/%d" % other, horizon(9))
    assert bound.horizon(b"other.commands/%d" % partition_of("acme", 12), horizon(9)) == DROPPED
    assert bound.asks_for_ends()
    bound.ends({LOG: 0})

    assert bound.paid("acme", "website", minute(5)) == NotYet(None, main_paid(1))
    assert bound.through() is None


def test_horizons_are_complete_through_the_least_of_all_partitions(payers: Payers) -> None:
    for partition in range(12):
        payers.horizon(b"billing.commands/%d" % partition, horizon(20 - partition))
    payers.asks_for_ends()
    payers.ends({LOG: 0})

    assert payers.through() == minute(9)


def test_horizons_of_partitions_that_were_not_declared_are_refused(payers: Payers) -> None:
    with pytest.raises(ValueError, match="partition 12, but 12 partitions are declared"):
        payers.horizon(b"billing.commands/12", horizon(1))


def test_what_comes_again_is_dropped(bound: Payers) -> None:
    assert bound.event(established(2, 1)) == DROPPED
    assert bound.event(registered()) == DROPPED
    assert bound.paid("acme", "website", minute(5)) == NotYet(None, main_paid(1))


def test_a_project_with_a_gap_says_so_until_a_state_that_is_not_below_it(bound: Payers) -> None:
    final(bound, through=30)
    assert bound.event(closed("superseded", 5, 3, 8)) == Gap("acme", "website", known=2, came=5)
    assert bound.paid("acme", "website", minute(9)) == GAP
    assert bound.gaps() == [("acme", "website")]

    assert bound.state(KEY, state(4, 3, [1, 3])) == TAKEN
    assert bound.paid("acme", "website", minute(9)) == GAP

    assert bound.state(KEY, state(6, 8, [1, 3, 8])) == TAKEN
    assert bound.gaps() == []
    assert bound.paid("acme", "website", minute(9)) == main_paid(8)
    assert bound.paid("acme", "website", minute(2)) == main_paid(1, 3)


def test_what_was_final_before_a_gap_stays_told(bound: Payers) -> None:
    bound.event(closed("released", 3, 1, 4))
    bound.event(established(9, 8))

    assert bound.paid("acme", "website", minute(3)) == main_paid(1, 4)
    assert bound.paid("acme", "website", minute(4)) == GAP


def test_a_gap_heals_too_when_the_missing_events_come_after_all(bound: Payers) -> None:
    bound.event(established(4, 8))
    assert bound.event(closed("released", 3, 1, 4)) == TAKEN
    assert bound.event(established(4, 8)) == TAKEN

    assert bound.gaps() == []
    assert bound.paid("acme", "website", minute(9)) == NotYet(None, main_paid(8))


def test_a_state_older_than_what_is_known_is_dropped(bound: Payers) -> None:
    assert bound.state(KEY, record("payer.state", 1, 0, {})) == DROPPED


def test_an_event_that_this_release_does_not_know_is_a_gap_and_no_guess(bound: Payers) -> None:
    final(bound, through=30)

    assert isinstance(bound.event(record("binding.transferred", 3, 4, {})), Gap)
    assert bound.paid("acme", "website", minute(9)) == GAP

    bound.state(KEY, state(3, 4, [1, 4]))
    assert bound.paid("acme", "website", minute(9)) == main_paid(4)


@pytest.mark.parametrize("event", [established(3, 4, "other"), closed("released", 3, 2, 4), established(3, -5)])
def test_an_event_that_contradicts_what_is_known_is_a_gap(bound: Payers, event: bytes) -> None:
    assert isinstance(bound.event(event), Gap)
    assert bound.gaps() == [("acme", "website")]


def many(last: int) -> list[int]:
    """Bound anew every minute; the timeline holds the open binding and the last 200 before it."""
    return list(range(last - TIMELINE_CLOSED_MAX, last + 1))


def test_before_its_timeline_only_the_events_tell() -> None:
    payers = final(Payers(whole=True), through=900)
    payers.state(KEY, state(602, 300, many(300), timeline_since=100))

    assert payers.paid("acme", "website", minute(150)) == main_paid(150, 151)
    assert payers.paid("acme", "website", minute(50)) == Unknown(Why.BEFORE_TIMELINE)

    payers.event(registered())
    for sequence, at in zip(range(2, 420, 2), range(1, 210), strict=True):
        payers.event(established(sequence, at))
        payers.event(closed("superseded", sequence + 1, at, at + 1))

    assert payers.paid("acme", "website", minute(50)) == main_paid(50, 51)
    assert payers.paid("acme", "website", minute(250)) == main_paid(250, 251)
    assert payers.paid("acme", "website", minute(300)) == main_paid(300)
    assert len(list(payers.dump())[1]) < 60_000


def test_what_events_told_is_kept_when_a_state_reaches_less_far_back(bound: Payers) -> None:
    final(bound, through=900)
    bound.event(closed("superseded", 3, 1, 2))
    bound.state(KEY, state(802, 400, many(400), timeline_since=200))

    assert bound.paid("acme", "website", minute(1)) == main_paid(1, 2)
    assert bound.paid("acme", "website", minute(2)) == Unknown(Why.BEFORE_TIMELINE)
    assert bound.paid("acme", "website", minute(200)) == main_paid(200, 201)
    assert bound.paid("acme", "website", minute(800)) == main_paid(400)


def test_a_timeline_that_is_not_full_tells_from_the_beginning() -> None:
    payers = final(Payers(whole=False), through=30)
    payers.state(KEY, state(4, 8, [3, 8], timeline_since=2))

    assert payers.paid("acme", "website", minute(-100)) == Nobody()


def test_a_project_nobody_heard_of_has_no_payer_if_all_events_were_read(payers: Payers) -> None:
    assert payers.paid("acme", "website", minute(1)) == NotYet(None, Nobody())
    assert final(payers, through=5).paid("acme", "website", minute(1)) == Nobody()


def test_a_project_nobody_heard_of_is_unknown_to_who_started_late() -> None:
    late = Payers(whole=False)

    assert late.paid("acme", "website", minute(1)) == NotYet(None, None)
    assert final(late, through=5).paid("acme", "website", minute(1)) == Unknown(Why.NEVER_SEEN)


def test_a_tombstone_takes_nothing_from_what_events_told(bound: Payers) -> None:
    final(bound, through=90)
    bound.event(closed("released", 3, 1, 4))
    bound.event(record("project.deleted", 4, 4, {"project": "website"}))
    bound.state(KEY, None)

    assert bound.paid("acme", "website", minute(3)) == main_paid(1, 4)
    assert bound.paid("acme", "website", minute(50)) == Nobody()


def test_a_tombstone_of_a_project_whose_end_was_missed_is_no_answer(bound: Payers) -> None:
    final(bound, through=90)
    bound.state(KEY, None)

    assert bound.paid("acme", "website", minute(50)) == Unknown(Why.REMOVED)
    assert Payers.load(bound.dump()).paid("acme", "website", minute(50)) == Unknown(Why.REMOVED)
    assert bound.paid("acme", "website", minute(0)) == Nobody()


def test_a_restart_goes_on_where_it_was(bound: Payers) -> None:
    final(bound, through=5)
    bound.event(established(9, 8))
    bound.horizon(LANE, horizon(9))
    lines = list(bound.dump())

    again = Payers.load(lines)

    assert again.positions == {LOG: 9}
    assert again.gaps() == [("acme", "website")]
    assert again.through("acme") == minute(5)
    assert again.asks_for_ends(), "the horizon that did not count yet is not forgotten"
    assert list(again.dump()) == lines


def test_in_topics_that_were_made_anew_a_horizon_counts_when_they_are_read_to_their_ends(bound: Payers) -> None:
    final(bound, through=5)
    bound.event(established(3, 6))

    again = Payers.load(bound.dump(), topics_anew=True)

    assert again.positions == {}
    assert again.through("acme") == minute(5)
    again.horizon(LANE, horizon(20))
    assert again.asks_for_ends()
    again.ends({LOG: 9})
    again.reached({LOG: 5})
    assert again.through("acme") == minute(5), "what it had read of the topic before says nothing of this one"
    again.reached({LOG: 9})
    assert again.through("acme") == minute(20)


def test_a_torn_dump_is_refused(bound: Payers) -> None:
    *most, _ = bound.dump()
    with pytest.raises(ValueError, match="lost some of its lines"):
        Payers.load(most)
    with pytest.raises(ValueError, match="not what a subscriber dumped"):
        Payers.load([])


def test_after_partitions_were_added_earlier_horizons_are_void(bound: Payers) -> None:
    names = (f"org-{n}" for n in range(99))
    stays, lane = next(
        (name, partition_of(name, 12)) for name in names if partition_of(name, 12) == partition_of(name, 24)
    )
    bound.horizon(b"billing.commands/%d" % lane, horizon(5))
    final(bound, through=5)
    assert bound.through(stays) == minute(5)

    again = Payers.load(bound.dump(), partitions=24)

    assert again.through(stays) is None
    assert again.positions == {LOG: 9}
    assert again.paid("acme", "website", minute(2)) == NotYet(None, main_paid(1))


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"null",
        b"[" * 100_000,
        b'"x"',
        b"{}",
        b'{"subject": 7}',
        registered().replace(b"projects/", b"accounts/"),
        registered().replace(b'"organization": "acme"', b'"organization": "other"'),
        registered().replace(b"00.000000Z", b"00Z"),
        registered().replace(b'"sequence": 1', b'"sequence": true'),
        established(1, 1).replace(b'"account"', b'"payer"'),
    ],
)
def test_what_is_no_event_of_a_project_is_refused(payers: Payers, value: bytes) -> None:
    with pytest.raises(ValueError, match=r"not |attributes|without"):
        payers.event(value)
    with pytest.raises(ValueError, match=r"not |attributes|without"):
        payers.state(KEY, value)
    assert payers.paid("acme", "website", minute(1)) in (NotYet(None, Nobody()), GAP)


def test_a_state_under_another_key_is_refused(payers: Payers) -> None:
    with pytest.raises(ValueError, match="not the key"):
        payers.state(b"acme/other", state(4, 8, [3, 8]))
    with pytest.raises(ValueError, match="not the key"):
        payers.state(b"acme", None)


def test_what_is_parsed_already_may_be_handed_in(payers: Payers) -> None:
    assert payers.event(json.loads(registered())) == TAKEN
    assert payers.state(KEY, json.loads(state(4, 8, [3, 8]))) == TAKEN
    assert payers.horizon(LANE, json.loads(horizon(5))) == TAKEN


def test_an_instant_without_an_offset_is_refused(payers: Payers) -> None:
    with pytest.raises(ValueError, match="offset"):
        payers.paid("acme", "website", datetime(2026, 1, 1))  # noqa: DTZ001
