"""Real records as a JSON Schema validator judges them, by what the AsyncAPI document says of their channel."""

import json
from collections import Counter
from functools import cache
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from schemas.commands import COMMANDS, TickLane
from schemas.documents import MESSAGES
from schemas.generate import FOLDER
from schemas.topics import TOPICS
from tests.strangers.lively import ORGANIZATION, Run

ASYNCAPI = json.loads((FOLDER / "asyncapi.json").read_text("utf-8"))
MESSAGES_OF = ASYNCAPI["components"]["messages"]
DOCUMENTS: Registry[Any] = Registry().with_resources(
    (f"./{path.name}", Resource.from_contents(json.loads(path.read_text("utf-8"))))
    for path in FOLDER.glob("*.schema.json")
)
WRITTEN = [topic.setting for topic in TOPICS if topic.setting not in {"commands", "dead_letters"}]


@cache
def validator(message: str, part: str) -> Draft202012Validator:
    """For the headers or the payload of a message."""
    schema = MESSAGES_OF[message][part]
    return Draft202012Validator(
        schema["schema"] if part == "payload" else schema, registry=DOCUMENTS, format_checker=FormatChecker()
    )


def complaints(topic: str, record: ConsumerRecord) -> list[str]:
    """What is not as the document says of the channel, and of one of its messages."""
    value = json.loads(record.value)
    message = value["type"] if topic != "dead_letters" else "dead-letter"
    headers = {name: header.decode() for name, header in record.headers}
    assert f"#/components/messages/{message}" in [
        each["$ref"] for each in ASYNCAPI["channels"][topic]["messages"].values()
    ]
    errors = [*validator(message, "payload").iter_errors(value), *validator(message, "headers").iter_errors(headers)]
    return [f"{message}: {error.json_path}: {error.message}" for error in errors]


@pytest.mark.parametrize("topic", WRITTEN)
async def test_every_record_is_as_the_document_says(run: Run, topic: str) -> None:
    assert run.records[topic]
    assert [told for record in run.records[topic] for told in complaints(topic, record)] == []


async def test_commands_of_a_careful_publisher_and_the_workers_own_ticks_are_as_the_document_says(run: Run) -> None:
    careful = [
        record
        for record in run.records["commands"]
        if record.key == ORGANIZATION.encode() and (record.value or b"").startswith(b"{") and len(record.value) > 1
    ]
    ticks = [record for record in run.records["commands"] if TickLane.TYPE.encode() in (record.value or b"")]

    assert careful
    assert ticks
    assert [told for record in (*careful, *ticks) for told in complaints("commands", record)] == []


async def test_the_run_has_a_record_of_every_kind_that_the_worker_writes(run: Run) -> None:
    kinds = Counter(json.loads(record.value)["type"] for topic in WRITTEN for record in run.records[topic])

    assert set(kinds) == MESSAGES.keys() - COMMANDS.keys()


@pytest.mark.parametrize("topic", WRITTEN)
async def test_the_validator_notices_a_field_that_is_missing_from_any_record(run: Run, topic: str) -> None:
    """So that a schema which lets everything pass is found out."""
    seen = set()
    for record in run.records[topic]:
        value = json.loads(record.value)
        if value["type"] not in seen:
            seen.add(value["type"])
            assert list(validator(value["type"], "payload").iter_errors(value | {"data": {"colour": "blue"}}))
            assert list(validator(value["type"], "payload").iter_errors({**value, "time": "yesterday"}))
    assert seen
