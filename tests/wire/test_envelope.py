"""Structured and binary mode, and headers of every kind."""

import json
import time
from typing import Any

import pytest

from tests.wire.given import BIND, CREATE, TRACEPARENT, Record, binary, reading, refused, request, structured
from worker.domain.commands import BindProject
from worker.domain.decision import Reason
from worker.wire.records import Headers
from worker.wire.request import Request, Tick, Unreadable, Why

CLOUD_EVENT = ("content-type", b"application/cloudevents+json")
TICK = {**BIND, "type": "billing.lane.tick.v1", "data": {}}


def with_headers(*headers: tuple[str, bytes | None]) -> Record:
    return structured(BIND, headers)


def why(record: Record) -> Why | None:
    read_as = reading(record)
    return read_as.reason if isinstance(read_as, Unreadable) else None


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "text/json", None])
def test_binary_mode_reads_as_structured_mode(content_type: str | None) -> None:
    envelope = {**BIND, "expectedversion": 7, "dryrun": True, "correlationid": "c-1", "traceparent": TRACEPARENT}

    assert request(binary(envelope, content_type)) == request(structured(envelope))


def test_binary_mode_takes_header_values_as_they_are() -> None:
    assert request(binary({**BIND, "actor": "Jörg%20K"})).actor == "Jörg%20K"


@pytest.mark.parametrize(
    "content_type", ["application/cloudevents+json; charset=utf-8", "Application/CloudEvents+JSON"]
)
def test_a_cloudevents_content_type_makes_it_structured(content_type: str) -> None:
    record = with_headers(("content-type", content_type.encode()), ("ce_specversion", b"1.0"))

    assert request(record) == request(structured(BIND))


@pytest.mark.parametrize(
    "headers",
    [
        (CLOUD_EVENT, ("ce_id", b"command-1"), ("ce_type", b"billing.project.bind.v1")),
        (CLOUD_EVENT, ("ce_specversion", b"1.0"), ("ce_id", b"command-1"), ("ce_organization", b"acme")),
        (("ce_specversion", b"1.0"), ("ce_id", b"command-1")),  # nothing says that the value is a document but itself
        (("ce_id", b"command-1"),),
        (("ce_id", None),),
        (("ce_id", b"\xff"),),
        (("ce_something", b"else"),),
    ],
    ids=str,
)
def test_a_document_whose_headers_agree_is_read(headers: Headers) -> None:
    assert request(structured(BIND, headers)) == request(structured(BIND))


@pytest.mark.parametrize(
    "headers",
    [
        (CLOUD_EVENT, ("ce_id", b"command-2")),
        (CLOUD_EVENT, ("ce_specversion", b"1.0"), ("ce_type", b"billing.project.unbind.v1")),
        (CLOUD_EVENT, ("ce_organization", b"other")),
        (CLOUD_EVENT, ("ce_dryrun", b"true")),
        (("ce_specversion", b"1.0"), ("ce_id", b"command-2")),
        (("ce_id", b"command-2"),),
    ],
    ids=str,
)
def test_structured_and_binary_at_once_and_not_equal_is_a_dead_letter(headers: Headers) -> None:
    assert why(structured(BIND, headers)) == Why.CONTRADICTING_HEADERS


@pytest.mark.parametrize("again", [b"command-1", b"command-2", None])
def test_a_cloudevents_header_twice_is_a_dead_letter(again: bytes | None) -> None:
    assert why(with_headers(("ce_id", b"command-1"), ("ce_id", again))) == Why.DUPLICATE_HEADER
    good = binary(BIND)
    assert why(Record(good.value, headers=[*good.headers, ("ce_type", again)])) == Why.DUPLICATE_HEADER


@pytest.mark.parametrize(
    "headers",
    [
        (("x", b"\xff\xfe"),),
        (("x", None),),
        (("x", b"1"), ("x", b"2")),
        (("content-type", b"\xff"), ("content-type", None)),
        (("reply_to", b"billing.account-events"),),
        (("", b""),),
        tuple((f"x-{n}", b"v") for n in range(10_000)),
        (("x", b"v" * 1_000_000),),
        (("ce_", b""),),
    ],
    ids=["not UTF-8", "null", "twice", "content type", "reply_to", "empty", "10,000", "1 MB", "no name"],
)
def test_other_headers_are_of_no_consequence(headers: Headers) -> None:
    began = time.perf_counter()

    assert request(structured(BIND, headers)) == request(structured(BIND))
    good = binary(BIND)
    in_binary_mode = reading(Record(good.value, headers=[*good.headers, *headers]))
    assert isinstance(in_binary_mode, Request)
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize("value", [None, b"\xff", b""])
@pytest.mark.parametrize("attribute", ["id", "type", "organization", "source"])
def test_a_binary_header_without_its_value_leaves_nobody_to_answer(attribute: str, value: bytes | None) -> None:
    good = binary(BIND)
    headers = [(name, value if name == f"ce_{attribute}" else given) for name, given in good.headers]
    read_as = reading(Record(good.value, headers=headers))

    if (attribute, value) in {("source", b"\xff"), ("type", b"\xff"), ("type", b"")}:
        assert isinstance(read_as, Request)  # any text will do there
    else:
        assert isinstance(read_as, Unreadable)


def test_binary_data_is_read_as_strictly() -> None:
    good = binary(BIND)

    assert why(Record(b'{"project": "a", "project": "a"}', headers=good.headers)) == Why.DUPLICATE_KEY
    assert why(Record(b"", headers=good.headers)) == Why.EMPTY_VALUE
    assert why(Record(b"junk", headers=good.headers)) == Why.NOT_JSON


def test_what_is_not_meant_as_json_is_refused_and_not_unreadable() -> None:
    avro = binary(BIND, content_type="application/avro")

    assert refused(Record(b"\x02\x04\xff", headers=avro.headers)) == [
        (Reason.INVALID_DATA, "/data_base64"),
        (Reason.INVALID_DATA, "/datacontenttype"),
    ]
    framed = Record(b"\0\0\0\0\x01\x02", headers=avro.headers)
    assert why(framed) == Why.SCHEMA_REGISTRY_FRAMING


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("traceparent", "nonsense"),
        ("traceparent", "00-" + "0" * 32 + "-00f067aa0ba902b7-01"),
        ("traceparent", 5),
        ("tracestate", "x" * 1_000_000),
        ("tracestate", "a\nb"),
        ("correlationid", ""),
        ("correlationid", 5),
        ("correlationid", "\ud800"),
        ("correlationid", "x" * 300),
    ],
)
def test_a_bad_trace_is_ignored_and_told(attribute: str, value: object) -> None:
    record = structured({**BIND, attribute: value})
    if len(record.value or b"") > 512 * 1024:
        record = structured({**BIND, attribute: "x" * 1_000})
    ignoring = request(record)

    assert ignoring.action == request(structured(BIND)).action
    assert ignoring.ignored == (attribute,)
    assert (ignoring.traceparent, ignoring.tracestate, ignoring.correlation_id) == (None, None, "command-1")


@pytest.mark.parametrize("attribute", ["subject", "time", "dataschema", "whatever", "sequence"])
@pytest.mark.parametrize("value", [5, None, {}, "x", "\ud800"], ids=repr)
def test_attributes_that_nothing_depends_on_do_not_matter(attribute: str, value: object) -> None:
    assert request(structured({**BIND, attribute: value})) == request(structured(BIND))


@pytest.mark.parametrize(
    "attribute",
    [
        "actor",
        "correlationid",
        "traceparent",
        "tracestate",
        "expectedversion",
        "dryrun",
        "datacontenttype",
        "data_base64",
    ],
)
def test_a_null_attribute_is_an_absent_one(attribute: str) -> None:
    bare = {name: value for name, value in BIND.items() if name != attribute}

    assert request(structured({**bare, attribute: None})) == request(structured(bare))


def test_a_command_carries_what_its_envelope_says() -> None:
    read_as = request(structured({**BIND, "correlationid": "order-7", "tracestate": "a=b", "dryrun": True}))

    assert (read_as.organization, read_as.id, read_as.actor) == ("acme", "command-1", "user:anna")
    assert (read_as.correlation_id, read_as.tracestate, read_as.dry_run) == ("order-7", "a=b", True)
    assert read_as.as_command().action == BindProject("website", "main")
    assert str(read_as.as_command().position) == "billing.commands/6/42".replace(
        "/6/", f"/{read_as.position.partition}/"
    )


def test_what_was_refused_is_not_for_the_rules() -> None:
    with pytest.raises(ValueError, match="not for the rules"):
        request(structured({**CREATE, "data": {}})).as_command()


@pytest.mark.parametrize(
    "envelope",
    [TICK, {**TICK, "actor": 5}, {**TICK, "data": None}, {**TICK, "dryrun": "x"}, {**TICK, "organization": "other"}],
    ids=str,
)
def test_a_tick_is_a_tick_whoever_sends_it_and_wherever_it_lies(envelope: dict[str, Any]) -> None:
    for record in (structured(envelope), Record(json.dumps(envelope).encode(), key=None, partition=1)):
        read_as = reading(record)
        assert isinstance(read_as, Tick)
        assert read_as.id == "command-1"


def test_our_own_records_read_as_structured() -> None:
    subject = {**BIND, "subject": "commands/acme/command-1"}
    headers = (
        CLOUD_EVENT,
        ("ce_id", b"command-1"),
        ("ce_type", b"billing.project.bind.v1"),
        ("ce_subject", b"commands/acme/command-1"),
    )

    assert request(structured(subject, headers)) == request(structured(BIND))
