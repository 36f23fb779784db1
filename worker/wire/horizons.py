"""Horizons: through which instant the answers of a partition are complete, written and read again.

A header tells beside it what the contract's fields leave out: how many partitions of commands are declared, and how
many were before each cut-over. It is for the worker itself, which so knows a database of before a cut-over.
"""

import json
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from schemas.instants import parse_instant
from worker.domain.counts import Counts
from worker.domain.value import value
from worker.domain.values import Instant
from worker.wire.parts import Json, instant
from worker.wire.records import Headers

COUNTS_HEADER: Final = "billing-partitions"


@value
class Horizon:
    """How far a partition has come: `offset` is the next to be decided, `epoch` counts its owners."""

    through: Instant
    offset: int
    epoch: int
    installation: UUID


@value
class LaneCounts:
    """How many partitions were declared when a horizon was written; `before`: before an offset of its lane so many."""

    declared: int
    before: Sequence[tuple[int, int]] = ()


def horizon_key(topic: str, partition: int) -> bytes:
    """The key under which a partition's horizons lie."""
    return f"{topic}/{partition}".encode()


def horizon_data(horizon: Horizon) -> Json:
    """The data of a horizon record."""
    return {
        "through": instant(horizon.through),
        "offset": horizon.offset,
        "epoch": horizon.epoch,
        "installation": str(horizon.installation),
    }


def read_horizon(value: bytes | None) -> Horizon | None:
    """A horizon from its record; None for what no worker wrote."""
    try:
        data = json.loads(value or b"")["data"]
        offset, epoch = data["offset"], data["epoch"]
        if type(offset) is int and type(epoch) is int:
            return Horizon(parse_instant(data["through"]), offset, epoch, UUID(data["installation"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    return None


def counts_header(counts: Counts, lane: int) -> tuple[str, bytes]:
    """The header that tells what is declared when a lane's horizon is written."""
    before = [
        [cut_over.offsets[lane], cut_over.partitions] for cut_over in counts.cut_overs if lane in cut_over.offsets
    ]
    told = {"declared": counts.declared, "before": before}
    return COUNTS_HEADER, json.dumps(told, separators=(",", ":")).encode()


def read_counts(headers: Headers) -> LaneCounts | None:
    """What the header tells; None where an older release wrote, or somebody else."""
    try:
        told = json.loads(dict(headers)[COUNTS_HEADER] or b"")
        before = tuple((_count(offset), _count(partitions)) for offset, partitions in told["before"])
        return LaneCounts(_count(told["declared"]), before)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _count(number: Any) -> int:
    if type(number) is not int:
        raise TypeError("not a number")
    return number
