"""Dead letters as an operator gets hold of them: letters of a real worker, and the program on them."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition

from tests.cli.conftest import Program
from tests.system.deployment import Deployment, ready_account
from tests.system.provision import PARTITIONS, own_database, own_deployment
from tests.system.settling import until
from tests.system.stacks import Addresses
from worker.broker import clients
from worker.wire.partitions import partition_of

TERMINAL_BREAKING = b"\x1b]0;owned\x07\x1b[2J\xe2\x80\xae reversed"
NOT_TEXT = bytes(range(256)) * 100
DUPLICATED = (
    b'{"specversion": "1.0", "id": "twice", "id": "twice", "source": "s", "data": {"project": "web"}, '
    b'"type": "billing.project.register.v1", "organization": "acme"}'
)
MENDED = {
    "specversion": "1.0",
    "id": "twice",
    "source": "s",
    "type": "billing.project.register.v1",
    "organization": "acme",
    "data": {"project": "web"},
}
VALUES = (TERMINAL_BREAKING, NOT_TEXT, None, b"", DUPLICATED, b"[1, 2]", b"{}", b"\0\0\0\0\1{}")


@dataclass(frozen=True)
class Lying:
    """Letters by their bytes, and the program."""

    deployment: Deployment
    program: Program
    names: dict[bytes | None, str]

    async def said(self, *arguments: str, **given: Any) -> list[dict[str, Any]]:
        result = await self.program("dead-letters", *arguments, "--json", **given)
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]

    async def acts(self, name: str) -> list[Any]:
        rows = await self.deployment.rows("SELECT who, command, arguments, outcome FROM audit ORDER BY id")
        return [row for row in rows if row.arguments["letter"] == name]

    async def commands(self) -> int:
        records = await self.deployment.read("commands")
        return sum(b'"billing.lane.tick.v1"' not in (record.value or b"") for record in records)


@pytest.fixture(scope="module")
async def lying(stack: Addresses, migrated: str) -> AsyncIterator[Lying]:
    async with own_database(stack, migrated) as url, own_deployment(stack, url) as deployment:
        with deployment.worker() as worker:
            await asyncio.to_thread(worker.wait_ready)
            await deployment.publish("acme", ready_account("acme", "main"))
            headers = [("odd", None), ("odd", b"\xff"), ("billing-reason", b"theirs\x1b[2J")]
            written = await deployment.publish("acme", *VALUES, headers=headers)
            await deployment.answers()
            topic = deployment.settings.topics.commands
            names = {
                value: f"{topic}/{each.partition}/{each.offset}" for value, each in zip(VALUES, written, strict=True)
            }
            yield Lying(deployment, Program(deployment.environment), names)


async def test_the_list_names_every_open_letter_with_its_reason(lying: Lying) -> None:
    listed = {each["letter"]: each for each in await lying.said("list", "--all")}

    assert set(listed) == set(lying.names.values())
    assert listed[lying.names[None]]["reason"] == listed[lying.names[b""]]["reason"] == "EMPTY_VALUE"
    assert (listed[lying.names[None]]["bytes"], listed[lying.names[b""]]["bytes"]) == (None, 0)
    assert listed[lying.names[DUPLICATED]]["reason"] == "DUPLICATE_KEY"
    assert {each["organization"] for each in listed.values()} == {"acme"}
    assert {each["state"] for each in listed.values()} <= {"open", "requeued", "discarded"}


async def test_the_list_can_be_narrowed(lying: Lying) -> None:
    by_reason = await lying.said("list", "--all", "--reason", "empty_value")
    nobody = await lying.said("list", "--all", "--organization", "globex")
    later = await lying.said("list", "--all", "--since", "2090-01-01T00:00:00Z")
    earlier = await lying.said("list", "--all", "--until", "2020-01-01T00:00:00Z")
    one = await lying.said("list", "--all", "--count", "1")

    assert {each["letter"] for each in by_reason} == {lying.names[None], lying.names[b""]}
    assert (nobody, later, earlier, len(one)) == ([], [], [], 1)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
async def test_a_letter_is_shown_without_anything_that_moves_a_terminal(lying: Lying, value: bytes | None) -> None:
    for more in ((), ("--hex",)):
        result = await lying.program("dead-letters", "show", lying.names[value], *more)

        assert result.exit_code == 0
        assert all(letter.isprintable() or letter == "\n" for letter in result.stdout + result.stderr)
        assert len(result.stdout) < 120_000
        assert "theirs\\x1b[2J" in result.stdout


async def test_text_is_shown_as_text_and_bytes_in_hexadecimal(lying: Lying) -> None:
    text = await lying.program("dead-letters", "show", lying.names[TERMINAL_BREAKING])
    hex_ = await lying.program("dead-letters", "show", lying.names[NOT_TEXT])
    null = await lying.program("dead-letters", "show", lying.names[None])

    assert "\\x1b]0;owned\\x07\\x1b[2J\\u202e reversed" in text.stdout
    assert "00000010  10 11 12 13" in hex_.stdout
    assert "more bytes: --raw" in hex_.stderr
    assert "(null)" in null.stdout


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
async def test_raw_bytes_and_json_hold_all_of_it(lying: Lying, value: bytes | None) -> None:
    raw = await lying.program("dead-letters", "show", lying.names[value].split("/", 1)[1], "--raw")
    (shown,) = await lying.said("show", lying.names[value])

    assert raw.stdout_bytes == (value or b"")
    assert ("valueBase64" in shown) == (value == NOT_TEXT)
    assert shown["headers"][0] == {"name": "odd", "value": None}
    assert shown["headers"][1] == {"name": "odd", "valueBase64": "/w=="}
    assert (shown.get("value", "") is None) == (value is None)


async def test_a_letter_that_the_journal_has_dropped_is_found_in_its_topic(lying: Lying) -> None:
    name = lying.names[b"[1, 2]"]
    _, lane, offset = name.rsplit("/", 2)
    async with lying.deployment.engine() as engine, engine.begin() as connection:
        dropped = await connection.exec_driver_sql(
            f"DELETE FROM journal_{lane} WHERE \"offset\" = {offset} AND topic = 'dead-letters'"  # noqa: S608
        )
        assert dropped.rowcount == 1

    (shown,) = await lying.said("show", name)

    assert (shown["letter"], shown["value"]) == (name, "[1, 2]")


@pytest.mark.parametrize("name", ["nonsense", "1/x", "0/99999", "elsewhere/0/0", "70/0", "0/-1"])
async def test_what_is_no_letter_is_told(lying: Lying, name: str) -> None:
    result = await lying.program("dead-letters", "show", "--", name)

    assert result.exit_code == 1
    assert "dead letter" in result.stderr


async def test_a_mended_letter_goes_out_as_a_new_command_that_names_the_old(lying: Lying, tmp_path: Path) -> None:
    name = lying.names[DUPLICATED]
    file = tmp_path / "mended.json"
    file.write_text(json.dumps(MENDED))
    before = await lying.commands()

    (planned,) = await lying.said("requeue", name, "--file", str(file))
    assert await lying.commands() == before
    assert await lying.acts(name) == []
    (done,) = await lying.said("requeue", name, "--file", str(file), "--yes", "--as", "ada")

    record = await record_at(lying.deployment, done["position"])
    assert (planned["dryRun"], planned["position"], planned["id"]) == (True, None, done["id"])
    assert json.loads(record.value) == MENDED | {"id": "twice-r1", "correlationid": "twice", "requeuedfrom": name}
    assert (record.key, record.partition) == (b"acme", partition_of("acme", PARTITIONS))
    (act,) = await lying.acts(name)
    assert (act.who, act.command, act.outcome["position"]) == ("ada", "dead-letters requeue", done["position"])
    assert name not in {each["letter"] for each in await lying.said("list")}

    async def is_answered() -> bool:
        return "twice-r1" in {each["data"]["command"] for each in await accepted(lying.deployment)}

    await until(is_answered, "the new command is accepted")

    twice = await lying.program("dead-letters", "requeue", name, "--file", str(file), "--yes")
    assert twice.exit_code == 1
    assert "requeued by ada: twice-r1" in twice.stderr
    assert await lying.commands() == before + 1
    (again,) = await lying.said("requeue", name, "--file", str(file), "--yes", "--again")
    assert again["id"] == "twice-r2"


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"still { nonsense", "not JSON"),
        (b"[]", "not an object"),
        (json.dumps(MENDED | {"organization": "No Such"}).encode(), "dead letter again"),
        (json.dumps(MENDED | {"type": "billing.project.paint.v1"}).encode(), "UNKNOWN_COMMAND"),
        (json.dumps(MENDED | {"data": {"project": 7}}).encode(), "INVALID_DATA /project"),
        (json.dumps(MENDED | {"type": "billing.lane.tick.v1", "data": {}}).encode(), "tick"),
        (json.dumps(MENDED | {"data": {"project": "x" * 600_000}}).encode(), "dead letter again"),
    ],
    ids=["nonsense", "array", "bad-organization", "unknown", "bad-data", "tick", "too-large"],
)
async def test_what_the_worker_would_not_take_is_not_sent(lying: Lying, document: bytes, why: str) -> None:
    name = lying.names[b"{}"]
    before = await lying.commands()

    result = await lying.program("dead-letters", "requeue", name, "--file", "-", "--yes", given=document)

    assert result.exit_code == 1
    assert why in result.stderr
    assert await lying.acts(name) == []
    assert await lying.commands() == before


async def test_an_editor_is_given_what_can_be_edited_and_its_work_is_kept(lying: Lying, tmp_path: Path) -> None:
    name = lying.names[TERMINAL_BREAKING]
    seen, mended = tmp_path / "seen", tmp_path / "mended.json"
    mended.write_text(json.dumps(MENDED | {"id": "edited", "data": {"project": "edited"}}))
    editor = tmp_path / "editor"
    editor.write_text(f'#!/bin/sh\ncp "$1" {seen}\ncp {mended} "$1"\n')
    editor.chmod(0o755)
    environment = Program(lying.program.environment | {"EDITOR": str(editor), "VISUAL": ""})

    planned = await environment("dead-letters", "requeue", name)
    kept = planned.stderr.partition("--file ")[2].split()[0]
    written = await asyncio.to_thread(Path(kept).read_bytes)
    done = await environment("dead-letters", "requeue", name, "--file", kept, "--id", "by-hand", "--yes", "--json")

    assert planned.exit_code == done.exit_code == 0, planned.output + done.output
    assert seen.read_bytes() == TERMINAL_BREAKING
    assert written == mended.read_bytes()
    await asyncio.to_thread(Path(kept).unlink)
    assert json.loads(done.stdout)["id"] == "by-hand"


async def test_a_letter_is_discarded_once_with_a_reason(lying: Lying) -> None:
    name = lying.names[b""]
    await lying.said("discard", name, "--reason", "sent by a test")
    assert await lying.acts(name) == []

    await lying.said("discard", name, "--reason", "sent by a test", "--yes", "--as", "grace")

    (act,) = await lying.acts(name)
    assert (act.who, act.arguments["reason"], act.outcome) == ("grace", "sent by a test", {"was": "EMPTY_VALUE"})
    assert name not in {each["letter"] for each in await lying.said("list")}
    twice = await lying.program("dead-letters", "discard", name, "--reason", "again", "--yes")
    assert twice.exit_code == 1
    assert "is discarded" in twice.stderr
    (shown,) = await lying.said("show", name)
    assert [(each["act"], each["who"], each["reason"]) for each in shown["acts"]] == [
        ("discarded", "grace", "sent by a test")
    ]


async def test_two_operators_at_once_requeue_a_letter_once(lying: Lying, tmp_path: Path) -> None:
    name = lying.names[NOT_TEXT]
    file = tmp_path / "mended.json"
    file.write_text(json.dumps(MENDED | {"id": "raced", "data": {"project": "raced"}}))
    processes = [await start(lying, "requeue", name, "--file", str(file), "--yes") for _ in range(2)]

    codes = sorted([await process.wait() for process in processes])

    assert codes == [0, 1]
    assert len(await lying.acts(name)) == 1


async def start(lying: Lying, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "worker",
        "dead-letters",
        *arguments,
        env=os.environ | lying.program.environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )


async def record_at(deployment: Deployment, position: str) -> Any:
    topic, partition, offset = position.rsplit("/", 2)
    async with clients.consumer(deployment.settings.kafka) as consumer:
        log = TopicPartition(topic, int(partition))
        consumer.assign([log])
        consumer.seek(log, int(offset))
        return await asyncio.wait_for(consumer.getone(log), 30)


async def accepted(deployment: Deployment) -> list[dict[str, Any]]:
    results = await deployment.messages("command_results")
    return [each for each in results if each["type"] == "billing.command.accepted.v1"]
