"""Records about the payer of one project, minute by minute, as the worker would write them."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.instants import format_instant
from schemas.partitions import partition_of
from schemas.subscriber import Payers

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEY = b"acme/website"
LOG = "billing.binding-events/0"
LANE = b"billing.commands/%d" % partition_of("acme", 12)


def minute(n: int) -> datetime:
    return NOON + timedelta(minutes=n)


def written(n: int) -> str:
    return format_instant(minute(n))


def binding(n: int) -> str:
    return f"00000000-0000-5000-8000-{n:012}"


def record(kind: str, sequence: int, at: int, data: dict[str, Any], project: str = "website") -> bytes:
    envelope = {
        "specversion": "1.0",
        "type": f"billing.{kind}.v1",
        "subject": f"projects/acme/{project}",
        "organization": "acme",
        "time": written(at),
        "sequence": sequence,
        "data": data,
    }
    return json.dumps(envelope).encode()


def registered(at: int = 0) -> bytes:
    return record("project.registered", 1, at, {"project": "website"})


def established(sequence: int, at: int, account: str = "main") -> bytes:
    data = {"binding": binding(at), "project": "website", "account": account, "since": written(at), "currency": "EUR"}
    return record("binding.established", sequence, at, data)


def closed(kind: str, sequence: int, since: int, until: int, account: str = "main") -> bytes:
    data = {"binding": binding(since), "account": account, "since": written(since), "until": written(until)}
    return record(f"binding.{kind}", sequence, until, data)


def state(sequence: int, at: int, since: Sequence[int], *, timeline_since: int = 0, **more: Any) -> bytes:
    """A project bound anew at each of these minutes, by main; the last binding is open."""
    ends = [*map(written, since[1:]), None]
    timeline = [
        {
            "binding": binding(n),
            "account": "main",
            "currency": "EUR",
            "since": written(n),
            "until": until,
            "reason": until and "SUPERSEDED",
        }
        for n, until in zip(since, ends, strict=True)
    ]
    data = {"timeline": timeline, "timelineSince": written(timeline_since), "locked": False, **more}
    return record("payer.state", sequence, at, data)


def horizon(through: int) -> bytes:
    return json.dumps({"type": "billing.lane.horizon.v1", "data": {"through": written(through)}}).encode()


def final(payers: Payers, through: int) -> Payers:
    """Let a horizon count."""
    payers.horizon(LANE, horizon(through))
    assert payers.asks_for_ends()
    payers.ends({LOG: 9})
    payers.reached({LOG: 9})
    return payers
