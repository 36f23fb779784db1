"""The topics as an AsyncAPI 3.1 document, from the side of the applications around the worker."""

from typing import Any, Final

from schemas.documents import MESSAGES, envelope_of
from schemas.envelope import STRUCTURED_CONTENT_TYPE, dataschema
from schemas.topics import DEAD_LETTER_HEADERS, PARTITIONS_DEFAULT, TOPICS, Topic

_SCHEMA_FORMAT: Final = "application/schema+json;version=draft-2020-12"
_KAFKA_BINDING_VERSION: Final = "0.5.0"
_DAY_MILLISECONDS: Final = 86_400_000


def asyncapi() -> dict[str, Any]:
    """Describe every channel, message and operation; schemas are referred to as files beside the document."""
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "billing-worker",
            "version": "1.0.0",
            "description": "Which billing account pays for which project. Written from the side of the applications "
            "around the worker: they send commands and receive everything else.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": STRUCTURED_CONTENT_TYPE,
        "channels": {topic.setting: _channel(topic) for topic in TOPICS},
        "operations": {_operation_name(topic): _operation(topic) for topic in TOPICS},
        "components": {
            "messages": {kind: _message(topic, kind) for topic in TOPICS for kind in topic.carries}
            | {"dead-letter": _dead_letter()},
        },
    }


def _channel(topic: Topic) -> dict[str, Any]:
    retention = topic.retention_days * _DAY_MILLISECONDS if topic.retention_days else -1
    configuration: dict[str, Any] = {"cleanup.policy": [topic.policy]}
    if topic.policy == "delete":
        configuration["retention.ms"] = retention
    return {
        "address": topic.name,
        "description": topic.purpose,
        "messages": {kind: {"$ref": f"#/components/messages/{kind}"} for kind in _carried(topic)},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": PARTITIONS_DEFAULT,
                "topicConfiguration": configuration,
                "bindingVersion": _KAFKA_BINDING_VERSION,
            }
        },
    }


def _operation_name(topic: Topic) -> str:
    first, *rest = topic.setting.split("_")
    verb = "send" if topic.setting == "commands" else "receive"
    return verb + "".join(word.capitalize() for word in (first, *rest))


def _operation(topic: Topic) -> dict[str, Any]:
    return {
        "action": "send" if topic.setting == "commands" else "receive",
        "channel": {"$ref": f"#/channels/{topic.setting}"},
        "summary": topic.purpose,
    }


def _carried(topic: Topic) -> tuple[str, ...]:
    return topic.carries or ("dead-letter",)


def _message(topic: Topic, kind: str) -> dict[str, Any]:
    model = MESSAGES[kind]
    sent = topic.setting == "commands"
    refined: dict[str, Any] = {"type": {"const": kind}, "data": {"$ref": f"./{kind}.schema.json"}}
    if not sent:
        refined["dataschema"] = {"const": dataschema(kind)}
    return {
        "name": kind,
        "title": model.__name__,
        "summary": (model.__doc__ or "").partition("\n")[0],
        "contentType": STRUCTURED_CONTENT_TYPE,
        "headers": _headers(required=not sent),
        "payload": {
            "schemaFormat": _SCHEMA_FORMAT,
            "schema": {"allOf": [{"$ref": f"./{envelope_of(kind)}.schema.json"}, {"properties": refined}]},
        },
        "bindings": {"kafka": _key(topic)},
    }


def _headers(*, required: bool) -> dict[str, Any]:
    """Everything written repeats these outside, so that a subscriber can choose without parsing."""
    headers: dict[str, Any] = {"type": "object", "properties": {"content-type": {"const": STRUCTURED_CONTENT_TYPE}}}
    if required:
        headers["properties"] |= {name: {"type": "string"} for name in ("ce_id", "ce_type", "ce_subject")}
        headers["required"] = list(headers["properties"])
    return headers


def _key(topic: Topic) -> dict[str, Any]:
    return {"key": {"type": "string", "description": topic.key}, "bindingVersion": _KAFKA_BINDING_VERSION}


def _dead_letter() -> dict[str, Any]:
    return {
        "name": "dead-letter",
        "title": "DeadLetter",
        "summary": "A record that could not be read: its bytes, key and headers as they came, and why.",
        "contentType": "application/octet-stream",
        "headers": {
            "type": "object",
            "properties": {name: {"type": "string"} for name in DEAD_LETTER_HEADERS},
            "required": list(DEAD_LETTER_HEADERS),
        },
        "bindings": {"kafka": {"bindingVersion": _KAFKA_BINDING_VERSION}},
    }
