"""Reading records naively: the attributes and data of a command, or nothing where there is no readable one."""

import json
import re
from typing import Any

from aiokafka import ConsumerRecord

Json = dict[str, Any]

BYTES_MAX = 512 * 1024
ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
TRACEPARENT = re.compile("00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def read(record: ConsumerRecord) -> Json | None:
    """The envelope, null attributes left out; None if it is not readable."""
    try:
        envelope = binary(record) if is_binary(record) else strict(record.value)
    except ValueError:
        return None
    if not isinstance(envelope, dict):
        return None
    envelope = {name: value for name, value in envelope.items() if value is not None or name == "data"}
    readable = (
        envelope.get("specversion") == "1.0"
        and is_text(envelope.get("id"), ID)
        and is_text(envelope.get("source"), re.compile(".+", re.DOTALL))
        and isinstance(envelope.get("type"), str)
        and is_text(envelope.get("organization"), LABEL)
    )
    return envelope if readable else None


def is_text(value: object, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and bool(pattern.fullmatch(value))


def is_binary(record: ConsumerRecord) -> bool:
    headers = dict(record.headers)
    return "ce_specversion" in headers and not headers["content-type"].startswith(b"application/cloudevents")


def binary(record: ConsumerRecord) -> Json:
    envelope: Json = {"data": strict(record.value), "datacontenttype": dict(record.headers)["content-type"].decode()}
    for name, value in record.headers:
        if name.startswith("ce_"):
            envelope[name.removeprefix("ce_")] = value.decode()
    if "expectedversion" in envelope:
        envelope["expectedversion"] = int(envelope["expectedversion"])
    if envelope.get("dryrun") in ("true", "false"):
        envelope["dryrun"] = envelope["dryrun"] == "true"
    return envelope


def strict(value: bytes | None) -> object:
    """JSON, with no name twice and no number that is none. Raises ValueError."""
    if not value or len(value) > BYTES_MAX:
        raise ValueError
    return json.loads(value.decode(), object_pairs_hook=once, parse_constant=never)


def once(pairs: list[tuple[str, object]]) -> Json:
    if len(dict(pairs)) < len(pairs):
        raise ValueError
    return dict(pairs)


def never(_: str) -> object:
    raise ValueError
