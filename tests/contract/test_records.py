"""Records as they come: binary mode, wrong keys and partitions, unreadable ones, ticks."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from aiokafka.partitioner import DefaultPartitioner

from tests.contract.cases import Message, Seen, Told
from tests.contract.laws import problems
from tests.system.deployment import HEADERS, Deployment, Record, command, ready_account
from tests.system.provision import own_database, own_deployment
from tests.system.settling import until
from tests.system.stacks import Addresses

TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
CREATE = json.dumps({"account": "a", "currency": "EUR"}).encode()
UPDATE = b'{"account": "a", "displayName": "x"}'


def home(organization: str) -> int:
    return int(DefaultPartitioner()(organization.encode(), [0, 1, 2], [0, 1, 2]))


def binary(
    organization: str, id_: str, value: bytes | None = CREATE, word: str = "account.create", **more: str
) -> Record:
    """A command in binary mode; `content_type` and attributes as given."""
    content_type = more.pop("content_type", "application/json")
    attributes = {"specversion": "1.0", "id": id_, "source": "s", "type": f"billing.{word}.v1"}
    attributes |= {"organization": organization, "actor": "ops@example.com"} | more
    headers = [
        ("content-type", content_type.encode()),
        *((f"ce_{name}", each.encode()) for name, each in attributes.items()),
    ]
    return Record(value, organization.encode(), headers)


def structured(organization: str, /, **changes: Any) -> bytes:
    document = json.loads(command(organization, "account.create", "1", account="a", currency="EUR"))
    return json.dumps({name: value for name, value in (document | changes).items() if value is not ...}).encode()


GOOD = structured("dead").decode()
DEAD: dict[str, bytes | None] = {
    "null": None,
    "empty": b"",
    "null literal": b"null",
    "a list": b"[]",
    "text": b'"x"',
    "not JSON": b"{",
    "trailing": GOOD.encode() + b" x",
    "a byte order mark": b"\xef\xbb\xbf" + GOOD.encode(),
    "not UTF-8": b'{"a": "\xff"}',
    "duplicate keys": (GOOD[:-1] + ', "id": "2"}').encode(),
    "duplicate keys in data": GOOD.replace('"account": "a"', '"account": "a", "account": "a"').encode(),
    "NaN": GOOD.replace('"a"', "NaN").encode(),
    "Infinity": GOOD.replace('"a"', "-Infinity").encode(),
    "too large": structured("dead", more="x" * (512 * 1024)),
    "specversion 0.3": structured("dead", specversion="0.3"),
    "no specversion": structured("dead", specversion=...),
    "specversion a number": structured("dead", specversion=1.0),
    "no id": structured("dead", id=...),
    "an empty id": structured("dead", id=""),
    "a long id": structured("dead", id="x" * 129),
    "a slash in the id": structured("dead", id="a/b"),
    "a space in the id": structured("dead", id="a b"),
    "a line end in the id": structured("dead", id="a\n"),
    "an id that is a number": structured("dead", id=1),
    "no source": structured("dead", source=...),
    "an empty source": structured("dead", source=""),
    "no type": structured("dead", type=...),
    "a type that is a number": structured("dead", type=7),
    "no organization": structured("dead", organization=...),
    "an organization in capitals": structured("dead", organization="Dead"),
    "a line end in the organization": structured("dead", organization="dead\n"),
    "a long organization": structured("dead", organization="x" * 64),
}
ODD_HEADERS: list[tuple[str, bytes | None]] = [*HEADERS, ("empty", b""), ("null", None), ("bytes", b"\xff\x00")]
AT_HOME = home("org-key")
NOT_AT_HOME = (AT_HOME + 1) % 3
RECORDS: dict[str, Record] = {
    **{name: Record(value, b"dead", ODD_HEADERS, 1) for name, value in DEAD.items()},
    "unreadable, no key": Record(b"?", None, [], 2),
    "unreadable, empty key": Record(b"??", b"", [], 2),
    "binary": binary(
        "org-bin", "1", traceparent=TRACE.decode(), correlationid="c", expectedversion="0", dryrun="false"
    ),
    "the same, structured": Record(structured("org-bin", expectedversion=0), b"org-bin", HEADERS),
    "binary, dry": binary("org-bin", "2", UPDATE, "account.update", dryrun="true"),
    "binary, version": binary("org-bin", "3", UPDATE, "account.update", expectedversion="2"),
    "binary, stale": binary("org-bin", "4", UPDATE, "account.update", expectedversion="2"),
    "binary, bad dryrun": binary("org-bin", "5", UPDATE, "account.update", dryrun="True"),
    "binary, bad version": binary("org-bin", "6", UPDATE, "account.update", expectedversion="3.0"),
    "binary, not JSON": binary("org-bin", "7", UPDATE, "account.update", content_type="text/plain"),
    "binary, charset": binary("org-bin", "8", UPDATE, "account.update", content_type="application/json; charset=utf-8"),
    "key of another": Record(structured("org-key"), b"another", HEADERS, AT_HOME),
    "no key": Record(structured("org-key"), None, HEADERS, AT_HOME),
    "wrong partition": Record(structured("org-key"), b"org-key", HEADERS, NOT_AT_HOME),
    "right at last": Record(structured("org-key"), b"org-key", HEADERS, AT_HOME),
    "no content type": Record(structured("org-key", id="2"), b"org-key", [], AT_HOME),
}


@pytest.fixture(scope="module")
async def told(stack: Addresses, migrated: str) -> AsyncIterator[Told]:
    async with own_database(stack, migrated) as url, own_deployment(stack, url) as deployment:
        with deployment.worker(LANES__TICK_SECONDS="60") as worker:
            await asyncio.to_thread(worker.wait_ready)
            found = Told(deployment)
            for record in RECORDS.values():
                await deployment.publish_records([record])
            await deployment.answers()
            await found.look()
            yield found


@pytest.fixture(scope="module")
async def dead(told: Told) -> list[ConsumerRecord]:
    return await told.deployment.read("dead_letters")


def codes(seen: Seen) -> list[str]:
    return [seen.outcome(number) for number in range(len(seen.results))]


def test_everything_that_was_written_keeps_the_form(told: Told) -> None:
    assert problems(told) == []


@pytest.mark.parametrize("name", DEAD)
def test_what_is_not_readable_is_a_dead_letter_byte_for_byte(dead: list[ConsumerRecord], name: str) -> None:
    found = [each for each in dead if each.value == DEAD[name]]
    assert len(found) == 1
    headers = list(found[0].headers)
    assert (found[0].key, headers[: len(ODD_HEADERS)]) == (b"dead", ODD_HEADERS)
    added = dict(headers[len(ODD_HEADERS) :])
    expected = {f"billing-{word}" for word in ("reason", "detail", "topic", "partition", "offset", "timestamp")}
    assert added.keys() >= expected
    assert added["billing-partition"] == b"1"
    assert len(added["billing-detail"] or b"") <= 1024


def test_no_key_and_an_empty_one_stay_distinct(told: Told, dead: list[ConsumerRecord]) -> None:
    assert len(dead) == len(DEAD) + 2
    assert next(each.key for each in dead if each.value == b"?") is None
    assert next(each.key for each in dead if each.value == b"??") == b""


def test_binary_mode_says_the_same_as_structured_mode(told: Told) -> None:
    seen = told.seen["org-bin"]
    assert codes(seen) == [
        "created >Provisioning",
        "again: created >Provisioning",
        "dry: updated",
        "updated",
        "VERSION_CONFLICT",
        "INVALID_DATA",
        "INVALID_DATA",
        "INVALID_DATA",
        "",
    ]
    first = seen.events[0]
    assert (first["traceparent"], first["correlationid"]) == (TRACE.decode(), "c")


def test_a_command_under_a_wrong_key_or_in_a_wrong_partition_does_not_use_its_id_up(told: Told) -> None:
    results: list[Message] = []
    for organization in ("org-key", "another", ""):
        results += told.seen[organization].results
    mine = [each for each in results if each["organization"] == "org-key"]
    rejected = [each for each in mine if each["type"] == "billing.command.rejected.v1"]
    said = sorted((each["data"]["reasons"][0]["code"], len(each["data"]["reasons"])) for each in rejected)
    said = [each for each in said if each[0] != "ACCOUNT_ALREADY_EXISTS"]
    assert [code for code, _ in said] == [
        "KEY_MISMATCH",
        "KEY_MISMATCH",
        "WRONG_PARTITION",
    ]
    wrong = next(each for each in rejected if each["data"]["reasons"][0]["code"] == "WRONG_PARTITION")
    assert wrong["data"]["reasons"][0]["details"] == {"expected": AT_HOME}
    accepted = [each["data"] for each in mine if each["type"] == "billing.command.accepted.v1"]
    assert [each["duplicate"] for each in accepted][:1] == [False]


async def test_a_tick_from_anybody_has_no_result_but_moves_the_horizon(told: Told) -> None:
    tick = json.loads(command("whoever", "lane.tick", "t"))
    before = len(await told.deployment.read("horizons"))
    results = len(await told.deployment.read("command_results"))
    await told.deployment.publish_records(
        [Record(json.dumps(tick).encode(), b"any", HEADERS, lane) for lane in range(3)]
    )

    async def moved() -> bool:
        return len(await told.deployment.read("horizons")) >= before + 3

    await until(moved, "three horizons", seconds=10)
    assert len(await told.deployment.read("command_results")) == results
    assert len(await told.deployment.read("dead_letters")) == len(DEAD) + 2


async def test_publishers_cannot_back_date(told: Told) -> None:
    deployment: Deployment = told.deployment
    document = json.loads(ready_account("past", "a")) | {"time": "2001-01-01T00:00:00Z"}
    await deployment.publish("past", json.dumps(document).encode())
    deployment.sent = 0

    async def answered() -> bool:
        await told.look()
        return bool(told.seen["past"].results)

    await until(answered, "a result", seconds=10)
    assert told.seen["past"].results[0]["time"] > "2026"
