"""How far a lane's output is published: told by the topics themselves, never by the database alone."""

import structlog

from worker import metrics
from worker.domain.value import value
from worker.domain.values import Instant
from worker.lane.errors import LaneStopped
from worker.lane.parts import Parts
from worker.lane.ports import GroupOffset, Reader
from worker.settings import PublishingMode
from worker.store.lanes import Lane
from worker.wire.horizons import Horizon, LaneCounts, horizon_key, read_counts, read_horizon
from worker.wire.outgoing import Topic

log = structlog.get_logger(__name__)

_UNKNOWN_CUT_OVER = "the topics tell of a cut-over"


@value
class Watermark:
    """Everything of the lane before `offset` is published. `seen_at` is where its horizon record lies, if any.

    `through` is the instant that the lane had reached there, `epoch` that of the owner who said so, `declared` how many
    partitions he knew of (None: an older release, which did not say).
    """

    offset: int
    seen_at: int | None
    through: Instant
    epoch: int
    declared: int | None = None


async def read_watermark(parts: Parts, reader: Reader, partition: int, known: Lane | None) -> Watermark | None:
    """The lane's watermark, or None if it never published.

    The horizon record counts: it travelled in the transaction itself. The group's offset is only compared, since
    anybody may reset it, and it is read first: somebody who has taken the lane meanwhile publishes on, and the horizon
    that is read after it is never behind it. Raises LaneStopped when what the topics tell contradicts the database.
    """
    told = await parts.topics.group_offset(partition)
    key = horizon_key(parts.settings.topics.commands, partition)
    record = await reader.newest_of_key(
        parts.names.log_of(Topic.HORIZONS, key), key, known.horizon_offset if known else None
    )
    if record is None:
        if known is not None and (known.horizon_offset is not None or _is_ours(parts, told)):
            msg = "the horizons topic has lost this lane's record: topics lost or made anew?"
            raise LaneStopped(msg)
        return None
    horizon = read_horizon(record.value)
    if horizon is None:
        msg = f"the horizons topic holds at offset {record.offset} what no worker wrote"
        raise LaneStopped(msg)
    _check_owner(parts, horizon)
    declared = await _declared(parts, read_counts(record.headers))
    if known is not None and horizon.offset < known.published:
        if not _came_late(parts, horizon, record.offset, known):
            msg = (
                f"the topics tell of offset {horizon.offset}, but the database knows that {known.published} was "
                "published: topics lost?"
            )
            raise LaneStopped(msg)
        log.warning("late_horizon", lane=partition, horizon_offset=horizon.offset, published=known.published)
        return Watermark(known.published, record.offset, horizon.through, horizon.epoch, declared)
    if known is not None and _is_of_a_copy(horizon, record.offset, known):
        msg = f"the topics tell of offset {horizon.offset}, but a later horizon was published: topics lost?"
        raise LaneStopped(msg)
    await _compare_group_offset(parts, partition, horizon, told)
    return Watermark(horizon.offset, record.offset, horizon.through, horizon.epoch, declared)


def _check_owner(parts: Parts, horizon: Horizon) -> None:
    if horizon.installation != parts.installation:
        msg = f"the topics belong to installation {horizon.installation}, this database is {parts.installation}"
        raise LaneStopped(msg)


async def _declared(parts: Parts, told: LaneCounts | None) -> int | None:
    """How many partitions the lane's last owner knew of. Raises LaneStopped if that is more than the database does.

    A database of before a cut-over knows neither the lanes that came with it nor who has moved there.

    Its own log and positions fit the topics, so nothing else would tell: it would fold what was published, and answer
    whoever moved that he is misplaced. Every lane is told by the cut-over itself, before the database declares it.
    """
    if told is None:
        return None
    if told.declared > parts.partitions:
        await parts.database.check_declared()  # a worker that slept through the cut-over only has to begin anew
        raise LaneStopped(unknown_cut_over(told.declared, parts.partitions))
    return told.declared


def unknown_cut_over(told: int, declared: int) -> str:
    """Why a lane stops whose topics tell of a cut-over that its database does not know."""
    return (
        f"{_UNKNOWN_CUT_OVER} to {told} partitions, and this database declares {declared}: is it a backup from "
        f"before? Then `billing-worker rebuild`; if the cut-over was broken off, `topics cut-over --partitions {told}`"
    )


def is_unknown_cut_over(reason: str) -> bool:
    """Whether a lane stopped for that."""
    return reason.startswith(_UNKNOWN_CUT_OVER)


def _came_late(parts: Parts, horizon: Horizon, offset: int, known: Lane) -> bool:
    """Whether a former owner wrote it behind a newer one: without transactions nothing keeps a stopped worker from it.

    The topic itself is whole, for the record lies behind the one that the lane's row knows of.
    """
    is_fenced = parts.settings.publishing.mode is PublishingMode.EXACTLY_ONCE
    return not is_fenced and horizon.epoch <= known.epoch and offset > (known.horizon_offset or 0)


def _is_of_a_copy(horizon: Horizon, offset: int, known: Lane) -> bool:
    """Whether it lies before a horizon that the lane's row knows of: offsets of a log that is still the same only grow.

    What was published since, the row only knows with the next batch. Where the topics were made anew and filled from
    the journal, horizons lie at other offsets too, but tell of everything that was decided.
    """
    return known.horizon_offset is not None and offset < known.horizon_offset and horizon.offset < known.next_offset


def _is_ours(parts: Parts, told: GroupOffset) -> bool:
    """Whether this installation committed the group's offset: in the transaction of a horizon, so there was one.

    The row knows of a horizon only since the batch after it.
    """
    return told.metadata.startswith(f"{parts.installation}/")


async def _compare_group_offset(parts: Parts, partition: int, horizon: Horizon, told: GroupOffset) -> None:
    """An alarm when somebody moved the group's offset; by itself it decides nothing.

    One that this installation signed travelled in the transaction of a horizon: if that is not there any more, the
    topic of horizons is not the one that was written, and LaneStopped is raised. Where the group's offset does not
    travel in the transaction it lags behind the horizon, and tells nothing.
    """
    if parts.settings.publishing.mode is not PublishingMode.EXACTLY_ONCE or told.offset == horizon.offset:
        return
    if told.offset > horizon.offset and _is_ours(parts, told):
        msg = (
            f"the topics tell of offset {horizon.offset}, but the group's offset says that {told.offset} was "
            "published: topics lost?"
        )
        raise LaneStopped(msg)
    now = await parts.topics.group_offset(partition)
    if now.offset >= horizon.offset and _is_ours(parts, now):
        return  # it was published on between the first look and the horizon's
    metrics.GROUP_OFFSETS_MOVED.inc()
    log.warning("group_offset_differs", lane=partition, group_offset=now.offset, horizon_offset=horizon.offset)
