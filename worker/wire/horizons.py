"""Horizons: through which instant the answers of a partition are complete, written and read again."""

import json
from uuid import UUID

from schemas.instants import parse_instant
from worker.domain.value import value
from worker.domain.values import Instant
from worker.wire.parts import Json, instant


@value
class Horizon:
    """How far a partition has come: `offset` is the next to be decided, `epoch` counts its owners."""

    through: Instant
    offset: int
    epoch: int
    installation: UUID


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
