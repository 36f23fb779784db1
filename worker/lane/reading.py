"""Records of the command topic, read, each with the instant at which it takes effect."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from aiokafka import ConsumerRecord

from worker.domain.values import MICROSECOND, Instant
from worker.lane.errors import LaneStopped
from worker.lane.needs import Incoming
from worker.wire.incoming import read

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOG_APPEND_TIME = 1


def read_all(
    records: Sequence[ConsumerRecord], latest: Instant, partitions: int, command_bytes_max: int
) -> tuple[list[Incoming], LaneStopped | None]:
    """Each record with its instant: its append time, but later than everything before it in its partition.

    `latest` is the instant of the last record before these. Ends at one that has no append time; then the lane is to
    stop, for the reason returned.
    """
    incoming: list[Incoming] = []
    for record in records:
        if record.timestamp_type != _LOG_APPEND_TIME:
            msg = f"the record at offset {record.offset} has no append time: set message.timestamp.type=LogAppendTime"
            return incoming, LaneStopped(msg)
        latest = max(_EPOCH + timedelta(milliseconds=record.timestamp), latest + MICROSECOND)
        what = read(record, partitions=partitions, record_bytes_max=command_bytes_max)
        incoming.append(Incoming(record, latest, what))
    return incoming, None
