"""What `republish` stands on: records as they were, states by age, lanes in one order, pages of the journal."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.recovery.republish.journal import Place, Stretch, amounts, latest_states, stretch_of
from worker.recovery.republish.order import Order, Selection, Subject
from worker.recovery.republish.reading import read_ahead
from worker.recovery.republish.records import restored
from worker.recovery.republish.targets import Standing
from worker.store import journal
from worker.store.engine import create_engine
from worker.store.journal_rows import JournalRow
from worker.wire.cause import to_ms
from worker.wire.outgoing import Outgoing, Topic, restore

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SAMPLES = sorted(Path("schemas/samples").glob("*.json"))


def row(
    offset: int, index: int, topic: Topic, key: str, value: bytes | None = b"{}", at: datetime = NOON
) -> JournalRow:
    return JournalRow(offset, index, at, topic.value, key.encode(), value, b"" if topic is Topic.DEAD_LETTERS else None)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
@pytest.mark.parametrize("is_ours", [True, False])
def test_a_row_becomes_the_record_that_it_was_however_it_was_written(sample: Path, *, is_ours: bool) -> None:
    document = {"specversion": "1.0", "id": "i", "type": "t", "subject": "s", **json.loads(sample.read_text("utf-8"))}
    head = {name: document.pop(name) for name in ("specversion", "id", "type", "subject")}
    ordered = head | document if is_ours else document | head
    value = json.dumps(ordered, separators=(",", ":"), ensure_ascii=False).encode()
    kept = row(1, 0, Topic.ACCOUNT_EVENTS, "acme/main", value, NOON + timedelta(microseconds=123_999))

    (again,) = restored([kept])

    assert again == restore(Topic.ACCOUNT_EVENTS, kept.key, value, None, to_ms(kept.at))
    assert again.timestamp_ms == 1_795_435_200_123


def test_a_tombstone_and_a_letter_become_what_they_were() -> None:
    tombstone, letter = restored(
        [row(1, 0, Topic.PAYERS, "acme/web", None), row(2, 0, Topic.DEAD_LETTERS, "x", b"\xff")]
    )

    assert (tombstone.value, tuple(tombstone.headers)) == (None, ())
    assert (letter.value, tuple(letter.headers)) == (b"\xff", ())


def state(sequence: int | None, more: str = "") -> bytes | None:
    return None if sequence is None else json.dumps({"sequence": sequence, "more": more}).encode()


@pytest.mark.parametrize(
    ("there", "ours", "why"),
    [
        ([], state(3), None),
        ([], None, None),
        ([state(2)], state(3), None),
        ([state(3)], state(3), "alreadyThere"),
        ([state(3, "other bytes")], state(3), None),
        ([state(4)], state(3), "older"),
        ([state(5), state(4)], state(5), None),
        ([state(4), None], state(3), "older"),
        ([state(4), None], None, "alreadyThere"),
        ([state(4)], None, None),
        ([b"nonsense"], state(1), None),
        ([b'{"sequence": "9"}'], state(1), None),
        ([b'{"sequence": 1e999}'], state(1), None),
        ([b"[" * 100_000], state(1), None),
    ],
)
def test_a_state_goes_out_only_where_none_as_new_is(
    there: Sequence[bytes | None], ours: bytes | None, why: str | None
) -> None:
    standing = Standing(cast("Any", None), cast("Any", None), cast("Any", None))
    standing.take([Outgoing(Topic.PAYERS, b"acme/web", value, (), 0) for value in there])
    standing.take([Outgoing(Topic.ACCOUNTS, b"acme/web", state(99), (), 0)])

    assert standing.why_not(Outgoing(Topic.PAYERS, b"acme/web", ours, (), 0)) == why
    standing.close()


def test_the_same_order_is_known_again_and_another_is_not() -> None:
    orders = [
        Order(Selection()),
        Order(Selection(), again=True),
        Order(Selection(lanes=frozenset({1}))),
        Order(Selection(since=3)),
        Order(Selection(since=NOON)),
        Order(Selection(organization="acme")),
        Order(Selection(subject=Subject.parse("projects/acme/web"))),
        Order(Selection(), {Topic.PAYERS: "copy"}),
    ]

    assert len({order.digest for order in orders}) == len(orders)
    assert Order(Selection(), rate=5).digest == Order(Selection()).digest


@pytest.fixture
async def kept(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Two lanes. An organization, `moved`, lived in lane 1 first, and after a cut-over in lane 0."""
    engine = create_engine(database_url, by_key=False)
    async with engine.begin() as connection:
        for lane in (0, 1):
            await journal.ensure_pieces(connection, lane, 0, 1_000_001)
        later = NOON + timedelta(days=1)
        await journal.append(
            connection,
            0,
            [
                row(n, i, topic, f"lane-0/{n % 7}", f'{{"sequence":{n}}}'.encode(), NOON + timedelta(seconds=2 * n))
                for n in range(300)
                for i, topic in enumerate((Topic.ACCOUNT_EVENTS, Topic.ACCOUNTS))
            ]
            + [row(1_000_000, 0, Topic.ACCOUNT_EVENTS, "moved/a", b'{"sequence":2}', later)],
        )
        await journal.append(
            connection,
            1,
            [row(0, 0, Topic.ACCOUNT_EVENTS, "moved/a", b'{"sequence":1}', NOON)]
            + [row(n, 0, Topic.COMMAND_RESULTS, "lane-1", at=NOON + timedelta(seconds=3 * n)) for n in range(1, 200)]
            + [row(200, n, Topic.BINDING_EVENTS, f"lane-1/{n}", at=later) for n in range(900)],
        )
    yield engine
    await engine.dispose()


STRETCHES = [Stretch(0, 0, 1_000_001, 1_000_001), Stretch(1, 0, 1_000_001, 1_000_001)]


async def read_all(engine: AsyncEngine, places: dict[int, Place], rows_max: int) -> list[JournalRow]:
    rows: list[JournalRow] = []
    async with read_ahead(engine, STRETCHES, places, Selection(), rows_max=rows_max) as steps:
        async for step in steps:
            rows += step.rows
            places |= step.places
    return rows


@pytest.mark.parametrize("rows_max", [1, 7, 500, 100_000])
async def test_lanes_are_read_in_the_order_of_instants_and_each_in_its_own(kept: AsyncEngine, rows_max: int) -> None:
    places: dict[int, Place] = {}

    rows = await read_all(kept, places, rows_max)

    assert len(rows) == 300 + 1 + 1 + 199 + 900
    assert [each.at for each in rows] == sorted(each.at for each in rows)
    assert [each.value for each in rows if each.key == b"moved/a"] == [b'{"sequence":1}', b'{"sequence":2}']
    in_bulk = [each.index for each in rows if each.topic == "binding-events"]
    assert in_bulk == list(range(900))
    assert places == {0: Place(1_000_000, 0), 1: Place(200, 899)}


async def test_reading_goes_on_behind_any_place(kept: AsyncEngine) -> None:
    whole = await read_all(kept, {}, 50)

    rest = await read_all(kept, {0: Place(100, 0), 1: Place(200, 300)}, 50)

    assert len(rest) == len(whole) - 101 - 1 - 199 - 301
    assert min(each.offset for each in rest if each.topic == "account-events") == 101
    assert min(each.index for each in rest if each.topic == "binding-events") == 301


async def test_an_error_of_the_reader_reaches_whoever_publishes(kept: AsyncEngine) -> None:
    nowhere = [Stretch(77, 0, 10, 10)]

    with pytest.raises(Exception, match="journal_77"):
        async with read_ahead(kept, nowhere, {}, Selection(), rows_max=10) as steps:
            assert [step async for step in steps] == []


async def test_the_latest_state_of_a_key_is_that_of_the_whole_journal_and_in_its_order(kept: AsyncEngine) -> None:
    async with kept.connect() as connection:
        pages = [page async for page in latest_states(connection, Stretch(0, 3, 6, 250), Selection(), 2)]
        counted = await amounts(connection, Stretch(0, 3, 6, 250), Selection())

    rows = [each for page in pages for each in page]
    assert {each.key for each in rows} == {b"lane-0/3", b"lane-0/4", b"lane-0/5"}
    assert all(243 <= each.offset < 250 for each in rows)
    assert [each.offset for each in rows] == sorted(each.offset for each in rows)
    assert {(each.topic, each.records) for each in counted} == {(Topic.ACCOUNT_EVENTS, 3), (Topic.ACCOUNTS, 3)}


@pytest.mark.parametrize(
    ("since", "until", "stretch"),
    [
        (None, None, (0, 300)),
        (5, 9, (5, 9)),
        (NOON, NOON + timedelta(seconds=20), (0, 10)),
        (NOON + timedelta(seconds=19), NOON + timedelta(seconds=21), (10, 11)),
        (NOON - timedelta(days=1), NOON, (0, 0)),
        (NOON + timedelta(hours=23), None, (300, 300)),
        (7, 5_000_000, (7, 300)),
    ],
)
async def test_instants_find_the_offsets_between_which_they_lie(
    kept: AsyncEngine, since: Any, until: Any, stretch: tuple[int, int]
) -> None:
    async with kept.connect() as connection:
        found = await stretch_of(connection, 0, Selection(since=since, until=until), 300)

    assert (found.first, found.last) == stretch
