"""How every part of a message is modelled: strict, frozen, camelCase on the wire, nothing unknown."""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic_core import core_schema

T = TypeVar("T")


class Message(BaseModel):
    """A JSON object of the contract.

    Built from wire names only, so that an unknown field cannot slip in as a Python name.
    """

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        serialize_by_alias=True,
        hide_input_in_errors=True,
    )

    def as_json(self) -> dict[str, Any]:
        """Give the JSON value that this was read from: what was absent stays absent."""
        return self.model_dump(mode="json", exclude_unset=True)


class _NeverNull:
    """Leaves the JSON null out of an optional type: absent is None in Python, null is refused."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        schema = handler(source)
        if schema["type"] != "nullable":
            msg = f"only an optional type may be absent, not {schema['type']}"
            raise TypeError(msg)
        inner: core_schema.CoreSchema = schema["schema"]
        return inner


Maybe = Annotated[T | None, _NeverNull()]
"""A field that may be absent (None in Python) but may not be null on the wire."""
