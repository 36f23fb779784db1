"""The parts of `verify` that need no server: sums and sights of records, streams side by side, and folds of events."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple
from uuid import UUID

import pytest

from worker.recovery.verify.account_fold import AccountFold, Contradiction
from worker.recovery.verify.finding import TEXT_CHARACTERS_MAX, Check, Finding
from worker.recovery.verify.ledger import BUCKETS, Scratch, Sums, mark_of
from worker.recovery.verify.merging import side_by_side
from worker.recovery.verify.project_fold import ProjectFold
from worker.recovery.verify.records import Place, envelope_of, place_of

END = 10_000
INSTALLATION = UUID(int=7)


def sums(*records: tuple[Place, bytes]) -> Sums:
    made = Sums({0: END, 1: 1})
    for place, value in records:
        made.add(place, mark_of(place, b"key", value))
    return made


RECORDS = [(Place(0, offset, number), b"%d" % offset) for offset in range(0, END, 7) for number in (0, 1)]


def test_sums_of_the_same_records_are_the_same_in_any_order() -> None:
    assert sums(*RECORDS).differing(sums(*reversed(RECORDS))) == []


@pytest.mark.parametrize("offset", [0, 7, 4_998, 9_996])
def test_sums_differ_in_the_stretch_where_a_record_does(offset: int) -> None:
    missing = [(place, value) for place, value in RECORDS if place != Place(0, offset, 1)]
    other = [(place, b"other" if place == Place(0, offset, 1) else value) for place, value in RECORDS]

    for changed in (missing, other, [*RECORDS, (Place(0, offset, 2), b"")]):
        (stretch,) = sums(*RECORDS).differing(sums(*changed))
        assert stretch.lane == 0
        assert stretch.first <= offset < stretch.last
        assert stretch.last - stretch.first <= END // BUCKETS + 1


def test_stretches_leave_no_offset_out() -> None:
    everywhere = sums(*((Place(0, offset, 0), b"") for offset in range(END)))

    stretches = everywhere.differing(sums())

    assert [stretch.first for stretch in stretches] == [0, *(stretch.last for stretch in stretches[:-1])]
    assert stretches[-1].last == END


def test_a_mark_tells_key_from_value_and_place_from_place() -> None:
    place = Place(0, 1, 2)
    marks = {
        mark_of(*each) for each in ((place, b"a", b"b"), (place, b"ab", b""), (place, None, b"a"), (place, b"", b"a"))
    }

    assert len({*marks, mark_of(Place(0, 2, 1), b"a", b"b")}) == 5


def test_what_was_seen_is_accounted_for_once_it_is_known() -> None:
    known, other, odd = Place(0, 1, 0), Place(0, 2, 0), Place(0, 3, 0)
    with Scratch() as scratch:
        for place, mark in ((known, b"1"), (known, b"1"), (other, b"2"), (odd, b"3")):
            scratch.see(place, mark, 0, place.offset * 10)

        assert scratch.knows(known, b"1")
        assert not scratch.knows(other, b"x")
        assert not scratch.knows(Place(0, 9, 0), b"1")
        assert scratch.other_at(other) == (other, 0, 20)
        assert scratch.other_at(Place(0, 9, 0)) is None
        assert [sight.place for sight in scratch.unaccounted()] == [other, odd]
        assert scratch.repeated() == 1


class Keyed(NamedTuple):
    key: bytes
    value: int


async def stream(*rows: tuple[bytes, int]) -> AsyncIterator[Keyed]:
    for row in rows:
        yield Keyed(*row)


async def test_streams_are_read_side_by_side_in_the_order_of_bytes() -> None:
    one = stream((b"a-b/x", 1), (b"a/x", 2), (b"a/x", 3))
    other = stream((b"a/x", 4), (b"\xff\xff", 5))

    met = [
        (subject.key, [[row.value for row in rows] for rows in subject.rows])
        async for subject in side_by_side(one, other)
    ]

    assert met == [(b"a-b/x", [[1], []]), (b"a/x", [[2, 3], [4]]), (b"\xff\xff", [[], [5]])]


@pytest.mark.parametrize(
    "position", [None, 7, "", "a/b", "topic/0/1", "topic/0/1/x", "topic/-1/1/1", f"topic/0/{2**62}/1", ["topic/0/1/1"]]
)
def test_a_place_that_nobody_wrote_is_none(position: object) -> None:
    assert place_of({"commandposition": position}) is None


@pytest.mark.parametrize("value", [None, b"", b"\xff", b"[]", b'"x"', b"{}", b'{"data": 1}'])
def test_what_is_no_document_is_none(value: bytes | None) -> None:
    assert envelope_of(value) is None


def test_a_counterexample_shows_no_more_than_can_be_read() -> None:
    finding = Finding(Check("a", "B."), counterexamples_max=1)

    finding.refute(value=b"\xff" * 5_000)
    finding.refute(value=1)

    assert finding.violations == 2
    (shown,) = finding.counterexamples
    assert len(shown["value"]) == TEXT_CHARACTERS_MAX + 1


def happened(word: str, sequence: int, **data: Any) -> dict[str, Any]:
    return {
        "type": f"billing.{word}.v1",
        "organization": "acme",
        "sequence": sequence,
        "time": f"2026-01-01T00:00:{sequence:02d}.000000Z",
        "causationid": "c",
        "commandposition": "t/0/0/0",
        "data": data,
    }


OPEN = {"binding": "b-1", "account": "main", "currency": "EUR", "since": "2026-01-01T00:00:02.000000Z"}
REGISTERED = happened("project.registered", 1, project="web")
ESTABLISHED = happened("binding.established", 2, project="web", **OPEN)


def closed(binding: str = "b-1", until: str = "2026-01-01T00:00:03.000000Z") -> dict[str, Any]:
    ended = OPEN | {"binding": binding, "until": until, "reason": "UNBOUND"}
    return happened("binding.released", 3, project="web", **ended)


@pytest.mark.parametrize(
    "events",
    [
        [REGISTERED, REGISTERED],
        [REGISTERED, ESTABLISHED, ESTABLISHED],
        [REGISTERED, happened("binding.established", 2, **OPEN, supersedes="b-0")],
        [REGISTERED, closed()],
        [REGISTERED, ESTABLISHED, closed(binding="b-2")],
        [REGISTERED, ESTABLISHED, closed(until=OPEN["since"])],
        [REGISTERED, ESTABLISHED, happened("project.deleted", 3, project="web")],
        [REGISTERED, happened("project.deleted", 2, project="web"), happened("project.payer-missing", 3)],
        [REGISTERED, ESTABLISHED, happened("project.payer-at-risk", 3, account="spare")],
        [REGISTERED, ESTABLISHED, happened("project.payer-missing", 3)],
        [REGISTERED, happened("binding.locked", 2, account="main")],
        [REGISTERED, happened("account.created", 2, account="web")],
    ],
)
def test_events_of_a_project_that_contradict_each_other_are_told(events: list[dict[str, Any]]) -> None:
    fold = ProjectFold()
    for event in events[:-1]:
        fold.apply(event)

    with pytest.raises(Contradiction):
        fold.apply(events[-1])


HOLD = {
    "hold": "h-1",
    "reason": "NON_PAYMENT",
    "message": "Pay.",
    "blocksRebind": False,
    "placedBy": None,
    "placedAt": "2026-01-01T00:00:03.000000Z",
}
CREATED = happened(
    "account.created",
    1,
    account="main",
    currency="EUR",
    displayName=None,
    contact=None,
    labels={},
    paymentTerms={},
    paymentProfiles={"serving": None, "pending": None},
)
FIRST = happened(
    "account.phase-changed",
    2,
    account="main",
    **{"from": None, "to": "Provisioning", "since": None, "at": "2026-01-01T00:00:02.000000Z", "reason": "CREATED"},
    holds=[],
    activatedAt=None,
    currency="EUR",
)
PLACED = happened("account.hold-placed", 3, hold=HOLD)


def changed(**data: Any) -> dict[str, Any]:
    said = {
        "from": "Provisioning",
        "to": "Suspended",
        "since": FIRST["data"]["at"],
        "at": "2026-01-01T00:00:04.000000Z",
    }
    return happened(
        "account.phase-changed",
        4,
        **(said | {"holds": [HOLD], "activatedAt": None, "currency": "EUR", "reason": "NON_PAYMENT"} | data),
    )


@pytest.mark.parametrize(
    "events",
    [
        [FIRST],
        [CREATED, CREATED],
        [CREATED, FIRST, happened("account.hold-released", 3, hold="h-1", releasedBy=None)],
        [CREATED, FIRST, PLACED, PLACED],
        [CREATED, FIRST, PLACED, changed(holds=[])],
        [CREATED, FIRST, PLACED, changed(**{"from": "Ready"})],
        [CREATED, FIRST, PLACED, changed(since=None)],
        [CREATED, FIRST, PLACED, changed(to="Ready")],
        [CREATED, FIRST, happened("account.deleted", 3), happened("account.currency-changed", 4, currency="USD")],
        [CREATED, FIRST, happened("project.registered", 3, project="web")],
    ],
)
def test_events_of_an_account_that_contradict_each_other_are_told(events: list[dict[str, Any]]) -> None:
    fold = AccountFold(INSTALLATION)
    for event in events[:-1]:
        fold.apply(event)

    with pytest.raises(Contradiction):
        fold.apply(events[-1])


def test_a_suspension_makes_an_account_suspended_with_its_hold() -> None:
    fold = AccountFold(INSTALLATION)

    for event in (CREATED, FIRST, PLACED, changed()):
        fold.apply(event)

    assert (fold.state["phase"], fold.state["sequence"], fold.state["holds"]) == ("Suspended", 4, [HOLD])
    assert fold.holds[3]["releasedAt"] is None
    assert [phase for _, _, phase, _ in fold.phases] == ["Provisioning", "Suspended"]
