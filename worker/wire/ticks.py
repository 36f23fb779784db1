"""Ticks: the command by which a worker lets the time of an idle partition pass."""

from orjson import dumps

from schemas.commands import TickLane
from schemas.envelope import DATA_CONTENT_TYPE, SPEC_VERSION, SYSTEM_ACTOR
from worker.wire.outgoing import Outgoing, Topic, cloud_event_headers

_ORGANIZATION = "billing-worker"  # any will do: a tick belongs to its partition


def tick(id_: str, source: str) -> Outgoing:
    """A tick, to be sent to the partition that it is for. Its time is the broker's to set."""
    subject = f"commands/{_ORGANIZATION}/{id_}"
    envelope = {
        "specversion": SPEC_VERSION,
        "id": id_,
        "source": source,
        "type": TickLane.TYPE,
        "subject": subject,
        "datacontenttype": DATA_CONTENT_TYPE,
        "organization": _ORGANIZATION,
        "actor": SYSTEM_ACTOR,
        "data": {},
    }
    headers = cloud_event_headers(id_, TickLane.TYPE, subject)
    return Outgoing(Topic.COMMANDS, _ORGANIZATION.encode(), dumps(envelope), headers, timestamp_ms=0)
