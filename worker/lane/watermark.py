"""How far a lane's output is published: told by the topics themselves, never by the database alone."""

import structlog

from worker import metrics
from worker.domain.value import value
from worker.domain.values import Instant
from worker.lane.errors import LaneStopped
from worker.lane.parts import Parts
from worker.lane.ports import Reader
from worker.settings import PublishingMode
from worker.store.lanes import Lane
from worker.wire.horizons import Horizon, horizon_key, read_horizon
from worker.wire.outgoing import Topic

log = structlog.get_logger(__name__)


@value
class Watermark:
    """Everything of the lane before `offset` is published. `seen_at` is where its horizon record lies, if any.

    `through` is the instant that the lane had reached there, `epoch` that of the owner who said so.
    """

    offset: int
    seen_at: int | None
    through: Instant
    epoch: int


async def read_watermark(parts: Parts, reader: Reader, partition: int, known: Lane | None) -> Watermark | None:
    """The lane's watermark, or None if it never published.

    The horizon record counts: it travelled in the transaction itself. The group's offset is only compared, since
    anybody may reset it. Raises LaneStopped when what the topics tell contradicts the database.
    """
    key = horizon_key(parts.settings.topics.commands, partition)
    record = await reader.newest_of_key(
        parts.names.log_of(Topic.HORIZONS, key), key, known.horizon_offset if known else None
    )
    if record is None:
        if known is not None and (known.horizon_offset is not None or await _has_told_group(parts, partition)):
            msg = "the horizons topic has lost this lane's record: topics lost or made anew?"
            raise LaneStopped(msg)
        return None
    horizon = read_horizon(record.value)
    if horizon is None:
        msg = f"the horizons topic holds at offset {record.offset} what no worker wrote"
        raise LaneStopped(msg)
    _check_owner(parts, horizon)
    if known is not None and horizon.offset < known.published:
        if not _came_late(parts, horizon, record.offset, known):
            msg = f"the topics tell of offset {horizon.offset}, but {known.published} was published: topics lost?"
            raise LaneStopped(msg)
        log.warning("late_horizon", lane=partition, horizon_offset=horizon.offset, published=known.published)
        return Watermark(known.published, record.offset, horizon.through, horizon.epoch)
    await _compare_group_offset(parts, partition, horizon)
    return Watermark(horizon.offset, record.offset, horizon.through, horizon.epoch)


def _check_owner(parts: Parts, horizon: Horizon) -> None:
    if horizon.installation != parts.installation:
        msg = f"the topics belong to installation {horizon.installation}, this database is {parts.installation}"
        raise LaneStopped(msg)


def _came_late(parts: Parts, horizon: Horizon, offset: int, known: Lane) -> bool:
    """Whether a former owner wrote it behind a newer one: without transactions nothing keeps a stopped worker from it.

    The topic itself is whole, for the record lies behind the one that the lane's row knows of.
    """
    is_fenced = parts.settings.publishing.mode is PublishingMode.EXACTLY_ONCE
    return not is_fenced and horizon.epoch <= known.epoch and offset > (known.horizon_offset or 0)


async def _has_told_group(parts: Parts, partition: int) -> bool:
    """Whether this installation committed the group's offset: in the transaction of a horizon, so there was one.

    The row knows of a horizon only since the batch after it.
    """
    return (await parts.topics.group_offset(partition)).metadata.startswith(f"{parts.installation}/")


async def _compare_group_offset(parts: Parts, partition: int, horizon: Horizon) -> None:
    """An alarm when somebody moved the group's offset; it decides nothing.

    Where it does not travel in the transaction it lags behind the horizon, and tells nothing.
    """
    if parts.settings.publishing.mode is not PublishingMode.EXACTLY_ONCE:
        return
    found = await parts.topics.group_offset(partition)
    if found.offset != horizon.offset:
        metrics.GROUP_OFFSETS_MOVED.inc()
        log.warning("group_offset_differs", lane=partition, group_offset=found.offset, horizon_offset=horizon.offset)
