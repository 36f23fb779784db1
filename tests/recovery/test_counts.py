"""How many partitions held at which offset: told by the horizons, and read back from them."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from worker.domain.counts import Counts, CutOver
from worker.recovery.rebuild.counts import counts_of
from worker.recovery.rebuild.reading import Published
from worker.wire.horizons import COUNTS_HEADER, Horizon, LaneCounts, counts_header, read_counts

FIRST = CutOver(3, {0: 10, 1: 20, 2: 30, 3: 0, 4: 0})
SECOND = CutOver(5, {0: 15, 1: 20, 2: 90, 3: 7, 4: 0, 5: 2})
TWICE = Counts(6, [FIRST, SECOND])
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def told(counts: Counts, *lanes: int) -> list[Published]:
    """The horizons that tell of these counts."""
    horizon = Horizon(NOON, 100, 1, UUID(int=1))
    return [Published(lane, horizon, 0, read_counts([counts_header(counts, lane)])) for lane in lanes]


@pytest.mark.parametrize(
    ("lane", "offset", "count"),
    [
        (0, 0, 3),
        (0, 9, 3),
        (0, 10, 5),
        (0, 14, 5),
        (0, 15, 6),
        (1, 19, 3),
        (1, 20, 6),  # nothing was decided between the two
        (3, 0, 5),
        (3, 7, 6),
        (5, 1, 5),  # what lay there before it belonged to nobody
        (5, 2, 6),
    ],
)
def test_each_command_is_judged_by_the_number_that_held_at_its_offset(lane: int, offset: int, count: int) -> None:
    assert TWICE.at(lane, offset) == count


def test_without_a_cut_over_there_was_ever_one_number() -> None:
    assert (Counts(12).at(3, 0), Counts(12).ever) == (12, [12])


def test_a_horizon_tells_of_its_lane_what_the_database_had_on_record() -> None:
    assert read_counts([("ce_id", b"1"), counts_header(TWICE, 3)]) == LaneCounts(6, ((0, 3), (7, 5)))
    assert read_counts([counts_header(Counts(12), 3)]) == LaneCounts(12)


@pytest.mark.parametrize(
    "header", [None, b"", b"6", b"[]", b'{"declared":"6","before":[]}', b'{"declared":6}', b"\xff"]
)
def test_what_no_worker_wrote_tells_nothing(header: bytes | None) -> None:
    assert read_counts([(COUNTS_HEADER, header)]) is None
    assert read_counts([]) is None


def test_all_horizons_together_bring_the_record_back() -> None:
    assert counts_of(told(TWICE, *range(6))) == TWICE


def test_a_cut_over_that_not_every_lane_was_told_of_was_never_done() -> None:
    once = Counts(5, [FIRST])

    assert counts_of([*told(once, 0, 1, 2, 4), *told(TWICE, 3)]) == once
    assert counts_of(told(TWICE, *range(5))) == once  # nobody told of the new lane


def test_a_horizon_of_an_older_release_speaks_against_nothing() -> None:
    silent = Published(0, Horizon(NOON, 100, 1, UUID(int=1)), 0)

    assert counts_of([silent, *told(TWICE, 1, 2, 3, 4, 5)]).declared == 6
