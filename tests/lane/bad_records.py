"""The rows of bad input as they are sent to a worker: each a command of its own, and a good one behind it."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from tests.system.deployment import HEADERS, Record
from tests.wire import bad_input
from tests.wire.given import TRACEPARENT
from tests.wire.given import Record as Given
from worker.wire.partitions import partition_of

ORGANIZATION: Final = "acme"
PARTITIONS: Final = 3
HOME: Final = partition_of(ORGANIZATION, PARTITIONS)
ELSEWHERE: Final = (HOME + 1) % PARTITIONS
KEY: Final = ORGANIZATION.encode()
VALUE_BYTES_MAX: Final = 1_000_000
"""Larger ones the broker refuses."""


def envelope(id_: str, kind: str, data: object, **attributes: object) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": id_,
        "source": "tests",
        "type": f"billing.{kind}",
        "organization": ORGANIZATION,
        "actor": "ops@example.com",
        "data": data,
    } | attributes


def structured(document: Mapping[str, Any], **record: Any) -> Record:
    return Record(json.dumps(document).encode(), **{"key": KEY, "headers": HEADERS} | record)


def binary(document: Mapping[str, Any], *more: tuple[str, bytes | None]) -> Record:
    attributes = [(f"ce_{name}", str(value).encode()) for name, value in document.items() if name != "data"]
    headers = [("content-type", b"application/json"), *attributes, *more]
    return Record(json.dumps(document["data"]).encode(), KEY, headers)


def bind(id_: str, *, project: object = "web", account: object = "main", **more: object) -> dict[str, Any]:
    return envelope(id_, "project.bind.v1", {"project": project, "account": account} | more)


def create(id_: str, **more: object) -> dict[str, Any]:
    """An account of the command's own name."""
    return envelope(id_, "account.create.v1", {"account": f"of-{id_}"[:63].strip("-"), "currency": "EUR"} | more)


def profile(**more: object) -> dict[str, object]:
    return {"type": "card", "externalId": "pm_1"} | more


def raw(value: bytes | None, **record: Any) -> Record:
    return Record(value, **{"key": KEY, "headers": HEADERS} | record)


def name_of(kind: str, row: str) -> str:
    """The id of a row's command, which is part of its account's; no two rows share one."""
    words = re.sub("[^a-z0-9]+", "-", row.lower()).strip("-")
    return f"{kind}-{words}"[:60].strip("-")


def sent(id_: str, record: Given) -> Record:
    """A row's record under an id and for an account of its own, to the partition of its organization."""

    def own(content: bytes) -> bytes:
        return content.replace(b"command-1", id_.encode()).replace(b'"main"', b'"of-%s"' % id_.encode())

    headers = [(name, value if value is None else own(value)) for name, value in record.headers]
    value = None if record.value is None else own(record.value)
    return Record(value, record.key, headers, HOME)


def rows(kind: str, records: Mapping[str, Given]) -> dict[str, Record]:
    """Records by their rows, those that fit into the topic."""
    found = {
        row: sent(name_of(kind, row), record)
        for row, record in records.items()
        if len(record.value or b"") <= VALUE_BYTES_MAX
    }
    assert len({name_of(kind, row) for row in found}) == len(found)
    return found


UNREADABLE: Final = rows("unreadable", {row: record for row, (record, _) in bad_input.UNREADABLE.items()})
REFUSED: Final = rows("refused", {row: record for row, (record, _) in bad_input.REFUSED.items()})
UNKNOWN: Final = {
    row: structured(bind(name_of("unknown", row)) | {"type": kind}) for row, kind in bad_input.UNKNOWN.items()
}
HARMLESS: Final = rows("harmless", bad_input.HARMLESS)

MISPLACED: Final[dict[str, tuple[Record, list[str]]]] = {
    "another organization's key": (structured(create("another-key"), key=b"other", partition=HOME), ["KEY_MISMATCH"]),
    "no key": (structured(create("no-key"), key=None, partition=HOME), ["KEY_MISMATCH"]),
    "an empty key": (structured(create("empty-key"), key=b"", partition=HOME), ["KEY_MISMATCH"]),
    "a key that is not UTF-8": (structured(create("odd-key"), key=b"\xff", partition=HOME), ["KEY_MISMATCH"]),
    "a key that forges log lines": (
        structured(create("forged-key"), key=bad_input.FORGED.encode(), partition=HOME),
        ["KEY_MISMATCH"],
    ),
    "another partition": (structured(create("elsewhere"), partition=ELSEWHERE), ["WRONG_PARTITION"]),
    "another key in another partition": (
        structured(create("lost"), key=b"other", partition=ELSEWHERE),
        ["KEY_MISMATCH", "WRONG_PARTITION"],
    ),
}
"""Commands that lie where they should not; the same one at its right place follows, and must be taken."""

FIRST: Final = create("first", displayName="Same", labels={"a": "1", "b": "2"})
AGAIN: Final[dict[str, tuple[Record, str, bool]]] = {
    "the same": (structured(FIRST), "accepted", True),
    "another time": (structured(FIRST | {"time": "2020-01-01T00:00:00Z"}), "accepted", True),
    "another trace": (structured(FIRST | {"traceparent": TRACEPARENT, "tracestate": "a=b"}), "accepted", True),
    "another source": (structured(FIRST | {"source": "elsewhere"}), "accepted", True),
    "another key order": (
        structured(dict(reversed(FIRST.items())) | {"data": dict(reversed(FIRST["data"].items()))}),
        "accepted",
        True,
    ),
    "another mode": (binary(FIRST), "accepted", True),
    "other data": (structured(create("first", displayName="Other")), "COMMAND_ID_REUSED", False),
    "another actor": (structured(FIRST | {"actor": "somebody@else.com"}), "COMMAND_ID_REUSED", False),
    "another type": (structured(bind("first")), "COMMAND_ID_REUSED", False),
    "an unknown type": (structured(FIRST | {"type": "billing.account.x.v1"}), "UNKNOWN_COMMAND", False),
    "another expected version": (structured(FIRST | {"expectedversion": 0}), "COMMAND_ID_REUSED", False),
    "data that is refused": (structured(create("first", currency="eur")), "COMMAND_ID_REUSED", False),
}
"""What is sent under an id that was used: how it is answered, and whether that is the first answer again."""
