"""Commands and events through the CloudEvents SDK, with any client for Kafka."""

from typing import Any

from aiokafka import ConsumerRecord
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.kafka import KafkaMessage, from_structured_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent


def command(organization: str, id_: str, type_: str, data: dict[str, Any]) -> KafkaMessage:
    """What to send: headers, key and value of a record."""
    attributes = {
        "id": id_,
        "source": "/examples/python",
        "type": type_,
        "organization": organization,
        "actor": "service:example",
    }
    return to_structured_event(
        CloudEvent(attributes=attributes, data=data), key_mapper=lambda event: event.get_extension("organization")
    )


def read(record: ConsumerRecord) -> BaseCloudEvent:
    """An event, result or state as the SDK has it."""
    return from_structured_event(KafkaMessage(headers=dict(record.headers), key=record.key, value=record.value))
