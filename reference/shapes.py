"""The fields of a message as rows of a table, from its JSON Schema; those of an object within it stand below it."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from reference.markdown import code, table
from schemas.documents import documents

HEADS: Final = ("Field", "Type", "Means")
DNS_LABEL: Final = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
NAMED_MAX: Final = 20
"""Of a longer list of values only the number is told; the schema has them."""

_FORMATS: Final = {"uuid": "UUID", "date-time": "instant", "email": "e-mail address"}
_NO_BOUND: Final = 2**53 - 1

Schema = Mapping[str, Any]


def fields(document: str) -> str:
    """The table of a schema's fields; a sentence if it has none."""
    schema = _schemas()[f"{document}.schema.json"]
    rows = list(_rows(schema, schema.get("$defs", {}), ""))
    return table(HEADS, rows) if rows else "No fields: `{}`."


def description(document: str) -> str:
    """What the message is, in its first paragraph."""
    return _first_paragraph(_schemas()[f"{document}.schema.json"]["description"])


@cache
def _schemas() -> dict[str, dict[str, Any]]:
    return documents()


def _rows(schema: Schema, shared: Schema, within: str) -> Iterator[tuple[str, ...]]:
    needed = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        place = f"{within}{name}"
        yield code(place) + ("" if name in needed else "?"), _type(field, shared), _meaning(field, shared)
        yield from _below(field, shared, place)


def _below(field: Schema, shared: Schema, place: str) -> Iterator[tuple[str, ...]]:
    inner, is_many = _without_null(field), False
    if inner.get("type") == "array":
        inner, is_many = inner["items"], True
    inner = _resolved(inner, shared)
    if "properties" in inner:
        yield from _rows(inner, shared, f"{place}{'[]' if is_many else ''}.")


def _without_null(field: Schema) -> Schema:
    choices = [each for each in field.get("anyOf", ()) if each.get("type") != "null"]
    return choices[0] if len(choices) == 1 else field


def _resolved(field: Schema, shared: Schema) -> Schema:
    found: Schema = shared[field["$ref"].rpartition("/")[2]] if "$ref" in field else field
    return found


def _meaning(field: Schema, shared: Schema) -> str:
    said = field.get("description") or _without_null(field).get("description")
    said = said or _resolved(_without_null(field), shared).get("description", "")
    return _first_paragraph(said)


def _first_paragraph(text: str) -> str:
    return " ".join(text.partition("\n\n")[0].split()).replace("<", "&lt;")


def _type(field: Schema, shared: Schema) -> str:
    inner = _without_null(field)
    if inner is not field:
        return f"{_type(inner, shared)} or null"
    inner = _resolved(field, shared)
    if "default" in field:
        return f"{_plain(inner, shared)}; {code(_json(field['default']))} if absent"
    return _plain(inner, shared)


def _plain(field: Schema, shared: Schema) -> str:
    if "const" in field:
        return code(_json(field["const"]))
    if len(field.get("enum", ())) > NAMED_MAX:
        return f"one of {len(field['enum'])} codes"
    if "enum" in field:
        return ", ".join(code(_json(value)) for value in field["enum"])
    if "oneOf" in field or "anyOf" in field:
        return "one of several objects"
    match field.get("type"):
        case "array":
            return f"list of {_type(field['items'], shared)}{_up_to(field, 'maxItems')}"
        case "integer":
            return f"whole number{_between(field)}"
        case "boolean":
            return "`true` or `false`"
        case "string":
            return _text(field)
        case _:
            return "object"


def _text(field: Schema) -> str:
    if "format" in field:
        return _FORMATS[field["format"]]
    if field.get("pattern") == DNS_LABEL:
        return "DNS label"
    return f"text{_up_to(field, 'maxLength')}"


def _up_to(field: Schema, bound: str) -> str:
    return f", up to {field[bound]:,}" if bound in field else ""


def _between(field: Schema) -> str:
    least, most = field.get("minimum"), field.get("maximum")
    if most is None or most >= _NO_BOUND:
        return f" from {least}" if least else ""
    return f", {least:,} to {most:,}"


def _json(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
