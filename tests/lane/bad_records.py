"""Records that are bad in one way each, row by row, and what each of them gets."""

import json
from collections.abc import Mapping
from typing import Any

from tests.system.deployment import HEADERS, Record
from worker.wire.partitions import partition_of
from worker.wire.request import Why

ORGANIZATION = "acme"
PARTITIONS = 3
HOME = partition_of(ORGANIZATION, PARTITIONS)
ELSEWHERE = (HOME + 1) % PARTITIONS
KEY = ORGANIZATION.encode()
CARD = "4242 4242-4242 4242"
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def envelope(id_: str, kind: str, data: object, **attributes: object) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": id_,
        "source": "tests",
        "type": f"billing.{kind}",
        "organization": ORGANIZATION,
        "actor": "ops@example.com",
        "data": data,
    } | attributes


def structured(document: Mapping[str, Any], **record: Any) -> Record:
    return Record(json.dumps(document).encode(), **{"key": KEY, "headers": HEADERS} | record)


def binary(document: Mapping[str, Any], *more: tuple[str, bytes | None]) -> Record:
    attributes = [(f"ce_{name}", str(value).encode()) for name, value in document.items() if name != "data"]
    headers = [("content-type", b"application/json"), *attributes, *more]
    return Record(json.dumps(document["data"]).encode(), KEY, headers)


def bind(id_: str, *, project: object = "web", account: object = "main", **more: object) -> dict[str, Any]:
    return envelope(id_, "project.bind.v1", {"project": project, "account": account} | more)


def create(id_: str, **more: object) -> dict[str, Any]:
    """An account of the command's own name."""
    return envelope(id_, "account.create.v1", {"account": f"of-{id_}", "currency": "EUR"} | more)


def profile(**more: object) -> dict[str, object]:
    return {"type": "card", "externalId": "pm_1"} | more


def raw(value: bytes | None, **record: Any) -> Record:
    return Record(value, **{"key": KEY, "headers": HEADERS} | record)


GOOD = json.dumps(bind("never-read")).encode()

UNREADABLE: dict[str, tuple[Record, Why]] = {
    "no value": (raw(None), Why.EMPTY_VALUE),
    "an empty value": (raw(b""), Why.EMPTY_VALUE),
    "null": (raw(b"null"), Why.NOT_AN_OBJECT),
    "an array": (raw(b"[]"), Why.NOT_AN_OBJECT),
    "a string": (raw(b'"x"'), Why.NOT_AN_OBJECT),
    "not UTF-8": (raw(GOOD.replace(b"ops", b"op\xff")), Why.NOT_UTF8),
    "UTF-16": (raw(GOOD.decode().encode("utf-16")), Why.NOT_UTF8),
    "a byte order mark": (raw(b"\xef\xbb\xbf" + GOOD), Why.BYTE_ORDER_MARK),
    "raw control characters": (raw(GOOD.replace(b"ops", b"o\x01s")), Why.NOT_JSON),
    "trailing junk": (raw(GOOD + b"x"), Why.NOT_JSON),
    "a key twice": (raw(GOOD[:-1] + b', "id": "other"}'), Why.DUPLICATE_KEY),
    "NaN": (raw(GOOD.replace(b'"main"', b"NaN")), Why.NOT_A_NUMBER),
    "Infinity": (raw(GOOD.replace(b'"main"', b"-Infinity")), Why.NOT_A_NUMBER),
    "5,000 digits": (raw(GOOD.replace(b'"main"', b"9" * 5_000)), Why.NUMBER_TOO_LONG),
    "depth 500": (raw(GOOD.replace(b'"main"', b"[" * 500 + b"]" * 500)), Why.TOO_DEEP),
    "depth 100,000": (raw(b"[" * 100_000), Why.TOO_DEEP),
    "170,000 empty objects": (raw(b"[" + b"{}," * 170_000 + b"{}]"), Why.NOT_AN_OBJECT),
    "above 512 KiB": (raw(GOOD.replace(b"ops", b"o" * 512 * 1024)), Why.TOO_LARGE),
    "schema registry framing": (raw(b"\0\0\0\0\x07" + GOOD), Why.SCHEMA_REGISTRY_FRAMING),
    "an id with a space": (structured(bind("no good")), Why.BAD_ENVELOPE),
    "an organization in capitals": (structured(bind("x") | {"organization": "Acme"}), Why.BAD_ENVELOPE),
    "a ce header twice": (binary(bind("x"), ("ce_id", b"y")), Why.DUPLICATE_HEADER),
    "modes that differ": (raw(GOOD, headers=[*HEADERS, ("ce_id", b"another")]), Why.CONTRADICTING_HEADERS),
    "null and empty headers": (raw(b"{", headers=[("a", None), ("b", b""), ("a", b"\xff\0")]), Why.NOT_JSON),
    "no key": (raw(b"{", key=None, partition=HOME), Why.NOT_JSON),
    "an empty key": (raw(b"{", key=b"", partition=HOME), Why.NOT_JSON),
    "a key that is not UTF-8": (raw(b"{", key=b"\xff\xfe", partition=HOME), Why.NOT_JSON),
    "10,000 headers": (raw(b"{", headers=[(f"h{n}", b"x") for n in range(10_000)]), Why.NOT_JSON),
}

INVALID = "INVALID_DATA"
Reasons = list[tuple[str, str | None]]

REFUSED: dict[str, tuple[Record, Reasons]] = {
    "an unknown type": (structured(envelope("unknown-type", "account.frobnicate.v1", {})), [("UNKNOWN_COMMAND", None)]),
    "an unknown major version": (
        structured(bind("v2") | {"type": "billing.project.bind.v2"}),
        [("UNKNOWN_COMMAND", None)],
    ),
    "a type that writes log lines": (
        structured(bind("log-lines") | {"type": 'x\n{"event": "forged"}\r\n\x1b[31m'}),
        [("UNKNOWN_COMMAND", None)],
    ),
    "an unknown field": (structured(bind("unknown-field", x=1)), [(INVALID, "/x")]),
    "a wrong JSON type": (structured(bind("wrong-type", account=5)), [(INVALID, "/account")]),
    "1e400": (raw(json.dumps(bind("1e400", account=0)).replace(": 0", ": 1e400").encode()), [(INVALID, "/account")]),
    "2^64": (structured(create("huge", paymentTerms={"netDays": 2**64})), [(INVALID, "/paymentTerms/netDays")]),
    "a NUL": (structured(bind("nul", project="a\0b")), [(INVALID, "/project")]),
    "a lone surrogate": (structured(create("surrogate", displayName="\ud800")), [(INVALID, "/displayName")]),
    "zero width": (structured(create("zero-width", displayName="a\u200bb")), [(INVALID, "/displayName")]),
    "right to left": (structured(create("right-to-left", displayName="a\u202eb")), [(INVALID, "/displayName")]),
    "an account of 64 characters": (structured(bind("long", account="a" * 64)), [(INVALID, "/account")]),
    "two dots": (structured(bind("dots", project="..")), [(INVALID, "/project")]),
    "a naive time": (
        structured(create("naive", paymentProfile=profile(validUntil="2031-01-01T00:00:00"))),
        [(INVALID, "/paymentProfile/validUntil")],
    ),
    "a time past all times": (
        structured(create("past-all", paymentProfile=profile(validUntil="9999-12-31T23:59:59-12:00"))),
        [(INVALID, "/paymentProfile/validUntil")],
    ),
    "two currencies that are none": (structured(create("xxx", currency="XXX")), [("INVALID_CURRENCY", "/currency")]),
    "an email that forges headers": (
        structured(create("forged", contact={"email": "a@acme.com\r\nBcc: b@acme.com"})),
        [(INVALID, "/contact/email")],
    ),
    "a card number at creation": (
        structured(create("card", paymentProfile=profile(externalId=CARD))),
        [("SENSITIVE_DATA_REFUSED", "/paymentProfile/externalId")],
    ),
    "a card number in a report": (
        structured(
            envelope(
                "card-report",
                "account.report-payment-profile.v1",
                {"account": "main", "externalId": CARD, "status": "Valid"},
            )
        ),
        [("SENSITIVE_DATA_REFUSED", "/externalId")],
    ),
    "everything wrong at once": (
        structured(
            envelope(
                "all-wrong", "account.create.v1", {"account": "A", "currency": "eur"}, dryrun=None, expectedversion="x"
            )
        ),
        [(INVALID, "/expectedversion"), (INVALID, "/account"), ("INVALID_CURRENCY", "/currency")],
    ),
    "no data": (structured(bind("no-data") | {"data": None}), [(INVALID, "")]),
    "data in base 64": (structured(bind("base64") | {"data_base64": "e30="}), [(INVALID, "/data_base64")]),
    "another organization's key": (
        structured(bind("another-key"), key=b"other", partition=HOME),
        [("KEY_MISMATCH", None)],
    ),
    "no key": (structured(bind("no-key"), key=None, partition=HOME), [("KEY_MISMATCH", None)]),
    "another partition": (structured(bind("elsewhere"), partition=ELSEWHERE), [("WRONG_PARTITION", None)]),
}

HARMLESS: dict[str, Record] = {
    "a header that is null": structured(create("null-header"), headers=[("a", None), ("ce_id", None)]),
    "a header that is not UTF-8": structured(create("odd-header"), headers=[("a", b"\xff\xfe"), ("ce_id", b"\xff")]),
    "a header twice": structured(create("twice-header"), headers=[("a", b"1"), ("a", b"2")]),
    "10,000 headers": structured(create("many-headers"), headers=[(f"h{n}", b"x") for n in range(10_000)]),
    "a header of 900 KB": structured(create("huge-header"), headers=[("h", b"x" * 900_000)]),
    "no headers at all": structured(create("no-headers"), headers=[]),
    "a reply_to that names a topic": structured(
        create("reply-to"), headers=[("reply_to", b"put in where the topics are known")]
    ),
    "a bad traceparent": structured(create("bad-trace") | {"traceparent": "00-zz-zz-01"}),
    "a huge tracestate": structured(create("huge-trace") | {"tracestate": "a=b," * 50_000}),
    "a time that is none": structured(create("bad-time") | {"time": "1795341600"}),
    "a time in year 1": structured(create("year-1") | {"time": "0001-01-01T00:00:00Z"}),
    "attributes that nobody knows": structured(create("unknown-attribute") | {"priority": "high"}),
    "binary mode": binary(create("binary"), ("ce_traceparent", TRACEPARENT.encode())),
    "both modes, agreeing": structured(create("both-modes"), headers=[*HEADERS, ("ce_id", b"both-modes")]),
    "SQL in a name": structured(create("sql", displayName="'; DROP TABLE accounts; --")),
    "templates in a name": structured(create("templates", displayName="{{7*7}} ${jndi:ldap} %s%n")),
    "a name in NFD": structured(create("nfd", displayName="Zu\u0308rich")),
    "an email in another script": structured(create("idn", contact={"email": "pelé@bücher.com"})),
}
