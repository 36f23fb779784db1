"""Dead letters: the record as it came, and behind its headers why it lies there and where it came from."""

from typing import Final

from schemas.topics import DEAD_LETTER_DETAIL_BYTES_MAX
from worker.wire.outgoing import Outgoing, Topic
from worker.wire.records import Headers, RawRecord
from worker.wire.request import Unreadable

TRUNCATED: Final = "billing-truncated"
"""Names what is missing of a record that came too large for the topic of dead letters."""


def dead_letter(record: RawRecord, unreadable: Unreadable, timestamp_ms: int, record_bytes_max: int) -> Outgoing:
    """The record with its reasons, never larger than the topic takes.

    That topic should take more than the one of commands. Where it does not, the headers that came are left out, then
    the value, then the key: the original lies where the headers say, and `billing-truncated` names what is missing.
    """
    ours = _reasons(record, unreadable)
    key, value = record.key, record.value
    letter = Outgoing(Topic.DEAD_LETTERS, key, value, (*record.headers, *ours), timestamp_ms)
    for missing in ("headers", "headers, value", "headers, value, key"):
        if letter.bytes_max <= record_bytes_max:
            break
        value = None if "value" in missing else value
        key = None if "key" in missing else key
        letter = Outgoing(Topic.DEAD_LETTERS, key, value, (*ours, (TRUNCATED, missing.encode())), timestamp_ms)
    return letter


def _reasons(record: RawRecord, unreadable: Unreadable) -> Headers:
    detail = unreadable.detail.encode(errors="replace")[:DEAD_LETTER_DETAIL_BYTES_MAX].decode(errors="ignore")
    return (
        ("billing-reason", unreadable.reason.encode()),
        ("billing-detail", detail.encode()),
        ("billing-topic", record.topic.encode()),
        ("billing-partition", str(record.partition).encode()),
        ("billing-offset", str(record.offset).encode()),
        ("billing-timestamp", str(record.timestamp).encode()),
    )
