"""Opening a record: structured and binary mode become the same attributes and data.

Structured is what is not binary. A document that is an envelope itself stays one when `ce_*` headers are there as
well (what the worker writes repeats three attributes so); the two must then say the same. Header values are UTF-8
without percent-encoding, as the Kafka binding of CloudEvents says. A null attribute is an absent one.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Final, TypeAlias

from worker.wire.records import Headers, PlainRecord
from worker.wire.request import Unreadable, Why
from worker.wire.strict_json import read_json

Envelope: TypeAlias = dict[str, object]
"""Attributes by name, and `data` as in a structured document (`data_base64` where it is not JSON)."""

ATTRIBUTES: Final = frozenset(
    {
        "specversion",
        "id",
        "source",
        "type",
        "organization",
        "actor",
        "time",
        "subject",
        "correlationid",
        "traceparent",
        "tracestate",
        "expectedversion",
        "dryrun",
        "datacontenttype",
        "dataschema",
    }
)
"""Those of the contract; any other is ignored wherever it stands."""
MEDIA_TYPE_CHARACTERS_MAX: Final = 256

_PREFIX = "ce_"
_STRUCTURED = "application/cloudevents"
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_BOOLEANS = {"true": True, "false": False}
_JSON = re.compile(r"(?:application/json|text/json|[\w!#$&^.+-]+/[\w!#$&^.+-]+\+json)\s*(?:;.*)?", re.DOTALL)
_NOT_UTF8 = re.compile(f"[{chr(0xD800)}-{chr(0xDFFF)}]")  # no literal: what compiles this module keeps those in UTF-8


def open_envelope(record: PlainRecord, bytes_max: int) -> Envelope | Unreadable:
    """Give the attributes and data of a record, not yet judged; or why there is no telling."""
    value = record.value
    if not value:
        return Unreadable(Why.EMPTY_VALUE, "The record has no value." if value is None else "The value is empty.")
    if len(value) > bytes_max:
        return Unreadable(Why.TOO_LARGE, f"The value has {len(value)} bytes; {bytes_max} are allowed.")
    if not record.headers:
        return _document(read_json(value))
    attributes = _attributes_in(record.headers)
    if isinstance(attributes, Unreadable):
        return attributes
    content_type = _content_type(record.headers)
    content = read_json(value)
    if "specversion" not in attributes or (content_type or "").lower().startswith(_STRUCTURED):
        return _agreeing(_document(content), attributes)
    if isinstance(content, dict) and "specversion" in content:
        return _agreeing(content, attributes)
    return _from_binary(attributes, content_type, content, value)


def is_json(media_type: object) -> bool:
    """Tell whether data of this content type is JSON: `application/json`, `text/json` or anything `+json`."""
    return (
        isinstance(media_type, str)
        and len(media_type) <= MEDIA_TYPE_CHARACTERS_MAX
        and _JSON.fullmatch(media_type.strip().lower()) is not None
    )


def _document(content: object) -> Envelope | Unreadable:
    if isinstance(content, dict | Unreadable):
        return content
    return Unreadable(Why.NOT_AN_OBJECT, "The value is JSON, but not an object.")


def _attributes_in(headers: Headers) -> Mapping[str, str] | Unreadable:
    """The attributes among the headers. A null one says nothing; bytes that are not UTF-8 become lone surrogates."""
    names = [name for name, _ in headers if name.startswith(_PREFIX)]
    if len(set(names)) < len(names):
        return Unreadable(Why.DUPLICATE_HEADER, "A header ce_* is there twice.")
    return {
        attribute: value.decode(errors="surrogateescape")
        for name, value in headers
        if value is not None and name.startswith(_PREFIX) and (attribute := name[len(_PREFIX) :]) in ATTRIBUTES
    }


def _content_type(headers: Headers) -> str | None:
    """The first that is not null."""
    values = (value for name, value in headers if name == "content-type" and value is not None)
    return next((value.decode(errors="replace") for value in values), None)


def _agreeing(document: Envelope | Unreadable, attributes: Mapping[str, str]) -> Envelope | Unreadable:
    """The document, unless a header contradicts it. A header that is not UTF-8 says nothing."""
    if isinstance(document, Unreadable):
        return document
    for name, said in attributes.items():
        if said != _as_header(document.get(name)) and not _NOT_UTF8.search(said):
            detail = f"The header ce_{name} and the attribute {name} of the document differ."
            return Unreadable(Why.CONTRADICTING_HEADERS, detail)
    return document


def _as_header(attribute: object) -> object:
    """An attribute as binary mode writes it."""
    match attribute:
        case bool():
            return "true" if attribute else "false"
        case int():
            return str(attribute)
        case _:
            return attribute


def _from_binary(
    attributes: Mapping[str, str], content_type: str | None, content: object, value: bytes
) -> Envelope | Unreadable:
    envelope = {name: _typed(name, text) for name, text in attributes.items()}
    if content_type is not None:
        envelope["datacontenttype"] = content_type
    if not isinstance(content, Unreadable):
        return envelope | {"data": content}
    media_type = envelope.get("datacontenttype")
    if media_type is None or is_json(media_type) or content.reason is Why.SCHEMA_REGISTRY_FRAMING:
        return content
    return envelope | {"data_base64": b64encode(value).decode()}


def _typed(name: str, text: str) -> object:
    """Integers and booleans as in a structured document; what is neither stays text, and is judged as such."""
    if name == "expectedversion" and _INTEGER.fullmatch(text):
        return int(text)
    return _BOOLEANS.get(text, text) if name == "dryrun" else text
