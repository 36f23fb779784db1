"""Records as the SDK of CloudEvents reads them, and commands as it writes them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from cloudevents.core.bindings import kafka
from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.v1.event import CloudEvent

from examples.languages.python.with_sdk import command, read
from schemas.commands import COMMANDS, TickLane
from schemas.documents import MESSAGES
from schemas.instants import parse_instant
from tests.strangers.lively import BYSTANDERS, Run
from tests.system.deployment import Deployment, Record

OF_CLOUDEVENTS = {"specversion", "id", "source", "type", "subject", "datacontenttype", "dataschema"}
ADDED_BY_THE_SDK = {"partitionkey", "time"}
"""The key; and the present where there is no time, as in a tick."""


def written(run: Run) -> list[ConsumerRecord]:
    """Every record that a worker wrote and that is an event: ticks among them, dead letters not."""
    topics = run.records.keys() - {"commands", "dead_letters"}
    ticks = [record for record in run.records["commands"] if TickLane.TYPE.encode() in (record.value or b"")]
    return [record for topic in topics for record in run.records[topic]] + ticks


async def test_it_reads_every_kind_of_record_and_finds_in_it_what_was_written(run: Run) -> None:
    kinds = set()
    for record in written(run):
        event, value = read(record), json.loads(record.value)
        attributes = event.get_attributes()
        kinds.add(event.get_type())

        assert event.get_data() == value["data"]
        assert {name: said for name, said in attributes.items() if name not in ADDED_BY_THE_SDK} == {
            name: said for name, said in value.items() if name not in {"data", "time"}
        }
        assert attributes["partitionkey"] == record.key.decode()
        if "time" in value:
            assert event.get_time() == parse_instant(value["time"])

    assert kinds == MESSAGES.keys() - COMMANDS.keys() | {TickLane.TYPE}


async def test_the_names_of_all_attributes_are_such_as_cloudevents_allows(run: Run) -> None:
    """The SDK checks them when an event is built; this is what the specification says, so that it is told here too."""
    names = {name for record in written(run) for name in json.loads(record.value)}

    assert names > OF_CLOUDEVENTS
    assert [name for name in names if not (name.isascii() and name.isalnum() and name.islower())] == []
    assert [name for name in names if len(name) > 20] == []


async def test_its_detection_of_the_mode_does_not_do_for_our_records_as_the_page_says(run: Run) -> None:
    """If this fails the SDK has learnt it, and the page's advice can go."""
    record = run.records["account_events"][0]
    message = kafka.KafkaMessage(headers=dict(record.headers), key=record.key, value=record.value)

    with pytest.raises(CloudEventValidationError, match="source"):
        kafka.from_kafka_event(message)


def event_of(id_: str, **more: Any) -> CloudEvent:
    attributes = {
        "id": id_,
        "source": "/tests/sdk",
        "type": "billing.account.create.v1",
        "organization": "acme",
        "actor": "ops@example.com",
        "time": datetime.now(UTC),
    }
    return CloudEvent(attributes=attributes | more, data={"account": id_, "currency": "EUR", "displayName": "Zürich ✓"})


def record_of(message: kafka.KafkaMessage) -> Record:
    key = message.key.encode() if isinstance(message.key, str) else message.key
    return Record(message.value, key, tuple(message.headers.items()))


async def test_the_worker_takes_commands_that_the_sdk_wrote_in_either_mode(served: Deployment) -> None:
    create = {"account": "whole", "currency": "EUR", "paymentTerms": {"netDays": 7}}
    messages = [
        command("acme", "sdk-structured", "billing.account.create.v1", create),
        kafka.to_binary_event(
            event_of("sdk-binary", expectedversion=0, datacontenttype="application/json"), key_mapper=organization
        ),
        kafka.to_binary_event(event_of("sdk-no-content-type"), key_mapper=organization),
        kafka.to_structured_event(event_of("sdk-dry-run", dryrun=True), key_mapper=organization),
        kafka.to_binary_event(event_of("sdk-dry-run-binary", dryrun=True), key_mapper=organization),
    ]
    await served.publish_records(map(record_of, messages))
    answers = {answer["data"]["command"]: answer for answer in await served.answers()}

    kinds = {id_: answer["type"].split(".")[2] for id_, answer in answers.items() if id_.startswith("sdk-")}
    assert kinds == {
        "sdk-structured": "accepted",
        "sdk-binary": "accepted",
        "sdk-no-content-type": "accepted",
        "sdk-dry-run": "evaluated",
        "sdk-dry-run-binary": "rejected",  # it writes True, as the page warns
    }
    (reason,) = answers["sdk-dry-run-binary"]["data"]["reasons"]
    assert reason["details"] == {"path": "/dryrun"}


def organization(event: Any) -> str:
    return str(event.get_extension("organization"))


async def test_random_traffic_was_among_what_it_read(run: Run) -> None:
    organizations = {json.loads(record.value).get("organization") for record in written(run)}

    assert set(BYSTANDERS) < organizations
