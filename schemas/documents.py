"""JSON Schemas (2020-12) of every message and envelope, for those who read them in other languages."""

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from schemas.commands import COMMANDS
from schemas.envelope import CommandEnvelope, EventEnvelope, HorizonEnvelope, ResultEnvelope, dataschema
from schemas.events import EVENTS
from schemas.message import Message
from schemas.results import RESULTS
from schemas.state import STATES, Horizon

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
MESSAGES: Final[Mapping[str, type[Message]]] = {**COMMANDS, **EVENTS, **RESULTS, **STATES}
"""The model of the data of each message type."""
ENVELOPES: Final[Mapping[str, type[Message]]] = {
    "command-envelope": CommandEnvelope,
    "event-envelope": EventEnvelope,
    "result-envelope": ResultEnvelope,
    "horizon-envelope": HorizonEnvelope,
}


class _Portable(GenerateJsonSchema):
    """Leaves out what only Python knows: None for absent, and the hint that picks a model of a union."""

    schema_dialect = DIALECT

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default", ...) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        described = super().tagged_union_schema(schema)
        described.pop("discriminator", None)
        return described

    def get_title_from_name(self, name: str) -> str:
        words = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name).strip().lower()
        return words[:1].upper() + words[1:]


def envelope_of(kind: str) -> str:
    """Name the envelope that messages of a type come in."""
    if kind in COMMANDS:
        return "command-envelope"
    if kind in RESULTS:
        return "result-envelope"
    return "horizon-envelope" if kind == Horizon.TYPE else "event-envelope"


def documents() -> dict[str, dict[str, Any]]:
    """Give every JSON Schema by its file name; the data of a message and the envelopes have one each."""
    described = {kind: _described(dataschema(kind), model) for kind, model in MESSAGES.items()}
    for name, envelope in ENVELOPES.items():
        schema = _described(dataschema(name), envelope)
        schema["properties"]["data"] = {
            "type": "object",
            "title": "Data",
            "description": "As the schema of the message's type says.",
        }
        schema.pop("$defs", None)  # they belong to the data
        described[name] = schema
    return {f"{name}.schema.json": schema for name, schema in described.items()}


def _described(name: str, model: type[Message]) -> dict[str, Any]:
    schema = model.model_json_schema(schema_generator=_Portable)
    return {"$schema": DIALECT, "$id": name} | schema
