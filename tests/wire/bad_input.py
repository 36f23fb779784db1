"""Bad input row by row, and what becomes of each: held up to the reader alone, and to a worker on Kafka and PostgreSQL.

The command of every record is `command-1`, and of those that are accepted the account is `main`: tests that send
them all put names of their own in the place of these two.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from tests.wire.given import BIND, CREATE, TRACEPARENT, Record, binary, structured
from worker.domain.decision import Reason
from worker.wire.records import Headers
from worker.wire.request import Why

CARD: Final = "4242 4242-4242 4242"
SQL: Final = "'; DROP TABLE accounts; --"
FORGED: Final = 'x\n{"event": "forged"}\r\n\x1b[31m'

GOOD: Final = json.dumps(BIND).encode()
CLOUD_EVENT: Final = ("content-type", b"application/cloudevents+json")

Refused = list[tuple[Reason, str]]


def with_data(envelope: Mapping[str, Any], **data: object) -> Record:
    return structured({**envelope, "data": {**envelope["data"], **data}})


def with_raw(member: str) -> Record:
    """A bind with one more member in its data, written as given."""
    return Record(GOOD.replace(b'"account": "main"', b'"account": "main", ' + member.encode()))


def with_profile(**more: object) -> Record:
    return with_data(CREATE, paymentProfile={"type": "card", "externalId": "pm_1"} | more)


def with_headers(*headers: tuple[str, bytes | None], envelope: Mapping[str, Any] = CREATE) -> Record:
    return structured(envelope, headers)


def binary_with(*headers: tuple[str, bytes | None], envelope: Mapping[str, Any] = CREATE) -> Record:
    plain = binary(envelope)
    return Record(plain.value, headers=[*plain.headers, *headers])


def many(number: int) -> Headers:
    return [(f"h{n}", b"x") for n in range(number)]


VALUES: dict[str, tuple[bytes | None, Why]] = {
    "null value": (None, Why.EMPTY_VALUE),
    "empty value": (b"", Why.EMPTY_VALUE),
    "null": (b"null", Why.NOT_AN_OBJECT),
    "an array": (b"[]", Why.NOT_AN_OBJECT),
    "a string": (b'"x"', Why.NOT_AN_OBJECT),
    "a number": (b"1", Why.NOT_AN_OBJECT),
    "white space": (b"  \n", Why.NOT_JSON),
    "not UTF-8": (GOOD.replace(b"anna", b"ann\xff"), Why.NOT_UTF8),
    "UTF-16 with a mark": (GOOD.decode().encode("utf-16"), Why.NOT_UTF8),
    "UTF-16 without a mark": (GOOD.decode().encode("utf-16-le"), Why.NOT_JSON),
    "surrogates encoded": (GOOD.replace(b"anna", b"\xed\xa0\x80"), Why.NOT_UTF8),
    "byte order mark": (b"\xef\xbb\xbf" + GOOD, Why.BYTE_ORDER_MARK),
    "raw control character": (GOOD.replace(b"anna", b"an\x01na"), Why.NOT_JSON),
    "raw line end in a string": (GOOD.replace(b"anna", b"an\nna"), Why.NOT_JSON),
    "raw NUL in a string": (GOOD.replace(b"anna", b"an\0na"), Why.NOT_JSON),
    "trailing junk": (GOOD + b"x", Why.NOT_JSON),
    "two documents": (GOOD * 2, Why.NOT_JSON),
    "truncated": (GOOD[:-1], Why.NOT_JSON),
    "trailing comma": (b'{"a":1,}', Why.NOT_JSON),
    "single quotes": (GOOD.replace(b'"', b"'"), Why.NOT_JSON),
    "duplicate attribute": (GOOD[:-1] + b', "id": "other"}', Why.DUPLICATE_KEY),
    "duplicate key in data": (GOOD.replace(b'"account"', b'"project": "x", "account"'), Why.DUPLICATE_KEY),
    "duplicate key by escape": (GOOD.replace(b'"account"', b'"\\u0070roject": "x", "account"'), Why.DUPLICATE_KEY),
    "NaN": (GOOD.replace(b'"main"', b"NaN"), Why.NOT_A_NUMBER),
    "Infinity": (GOOD.replace(b'"main"', b"-Infinity"), Why.NOT_A_NUMBER),
    "5,000 digits": (GOOD.replace(b'"main"', b"9" * 5_000), Why.NUMBER_TOO_LONG),
    "500,000 digits": (GOOD.replace(b'"main"', b"9" * 500_000), Why.NUMBER_TOO_LONG),
    "depth 500": (GOOD.replace(b'"main"', b"[" * 500 + b"]" * 500), Why.TOO_DEEP),
    "depth 500 of objects": (GOOD.replace(b'"main"', b'{"a":' * 500 + b"1" + b"}" * 500), Why.TOO_DEEP),
    "depth 100,000": (b"[" * 100_000, Why.TOO_DEEP),
    "one million empty objects": (b"[" + b"{}," * 999_999 + b"{}]", Why.TOO_LARGE),
    "empty objects up to the limit": (b"[" + b"{}," * 170_000 + b"{}]", Why.NOT_AN_OBJECT),
    "escaped quotes without an end": (b'{"' + b'\\"' * 250_000, Why.NOT_JSON),
    "brackets in a string without an end": (b'"' + b"[" * 500_000, Why.NOT_JSON),
    "above 512 KiB": (GOOD.replace(b"anna", b"a" * 512 * 1024), Why.TOO_LARGE),
    "schema registry framing": (b"\0\0\0\0\x07" + GOOD, Why.SCHEMA_REGISTRY_FRAMING),
    "a card number that is no JSON": (GOOD.replace(b"main", CARD.encode()) + b"x", Why.NOT_JSON),
    "forged log lines": (FORGED.encode(), Why.NOT_JSON),
}

ENVELOPES: dict[str, dict[str, object]] = {
    "no specversion": {"specversion": None},
    "specversion 0.3": {"specversion": "0.3"},
    "specversion as a number": {"specversion": 1.0},
    "no id": {"id": None},
    "an empty id": {"id": ""},
    "an id that is a number": {"id": 7},
    "an id with a space": {"id": "with space"},
    "an id with a slash": {"id": "with/slash"},
    "an id of 129 characters": {"id": "a" * 129},
    "an id with a line end": {"id": "line-end\n"},
    "an id that is not ASCII": {"id": "zürich"},
    "an id with a lone surrogate": {"id": "\ud800"},
    "no source": {"source": None},
    "an empty source": {"source": ""},
    "a source that is a number": {"source": 1},
    "no type": {"type": None},
    "a type that is a number": {"type": 5},
    "no organization": {"organization": None},
    "an empty organization": {"organization": ""},
    "an organization in upper case": {"organization": "Acme"},
    "an organization with a space": {"organization": "a b"},
    "an organization with a slash": {"organization": "a/b"},
    "an organization of two dots": {"organization": ".."},
    "an organization of 64 characters": {"organization": "a" * 64},
    "an organization with a line end": {"organization": "acme\n"},
    "an organization with a leading dash": {"organization": "-acme"},
    "an organization of a lone surrogate": {"organization": "\ud800"},
    "an organization with SQL": {"organization": SQL},
}
"""Attributes without which nobody can be answered."""

RECORDS: dict[str, tuple[Record, Why]] = {
    "a ce header twice, structured": (with_headers(("ce_id", b"a"), ("ce_id", b"a")), Why.DUPLICATE_HEADER),
    "a ce header twice, binary": (binary_with(("ce_id", b"command-1")), Why.DUPLICATE_HEADER),
    "a ce header twice, once null": (binary_with(("ce_type", None)), Why.DUPLICATE_HEADER),
    "structured and binary, another id": (
        with_headers(CLOUD_EVENT, ("ce_specversion", b"1.0"), ("ce_id", b"another")),
        Why.CONTRADICTING_HEADERS,
    ),
    "structured and binary, another organization": (
        with_headers(CLOUD_EVENT, ("ce_organization", b"other")),
        Why.CONTRADICTING_HEADERS,
    ),
    "null, empty and odd headers": (Record(b"{", headers=[("a", None), ("b", b""), ("a", b"\xff\0")]), Why.NOT_JSON),
    "a header of 900 KB on junk": (Record(b"{", headers=[("h", b"x" * 900_000)]), Why.NOT_JSON),
    "10,000 headers on junk": (Record(b"{", headers=many(10_000)), Why.NOT_JSON),
    "forged log lines in headers": (Record(b"{", headers=[(FORGED, FORGED.encode())]), Why.NOT_JSON),
    "no key on junk": (Record(b"{", key=None), Why.NOT_JSON),
    "an empty key on junk": (Record(b"{", key=b""), Why.NOT_JSON),
    "a key that is not UTF-8 on junk": (Record(b"{", key=b"\xff\xfe"), Why.NOT_JSON),
    "a key of forged log lines": (Record(b"{", key=FORGED.encode()), Why.NOT_JSON),
}

UNREADABLE: dict[str, tuple[Record, Why]] = (
    {row: (Record(value), why) for row, (value, why) in VALUES.items()}
    | {row: (structured({**BIND, **changes}), Why.BAD_ENVELOPE) for row, changes in ENVELOPES.items()}
    | RECORDS
)
"""What becomes a dead letter, and why."""

TIMES: dict[str, object] = {
    "epoch seconds": 1_795_341_600,
    "epoch seconds as text": "1795341600",
    "naive": "2031-11-22T10:00:00",
    "past the last year": "9999-12-31T23:59:59-12:00",
    "year 1": "0001-01-01T00:00:00Z",
    "before year 1 in UTC": "0001-01-01T00:00:00+12:00",
    "nine digits": "2031-11-22T10:00:00.123456789Z",
    "a leap second": "2031-11-22T10:00:60Z",
    "a space for the T": "2031-11-22 10:00:00Z",
    "no day of the calendar": "2031-02-29T10:00:00Z",
    "empty": "",
}

INVALID: dict[str, tuple[Record, str]] = {
    "1e400 in an unknown field": (with_raw('"x": 1e400'), "/x"),
    "1e400": (with_raw('"onExisting": 1e400'), "/onExisting"),
    "an integer past 2^63": (with_raw(f'"onExisting": {2**63}'), "/onExisting"),
    "an integer past 2^64": (with_raw(f'"onExisting": {2**64 + 1}'), "/onExisting"),
    "4,300 digits": (with_raw('"onExisting": ' + "9" * 4_300), "/onExisting"),
    "an integer past 2^64 where one belongs": (
        with_data(CREATE, paymentTerms={"netDays": 2**64}),
        "/paymentTerms/netDays",
    ),
    "a fraction where an integer belongs": (
        with_data(CREATE, paymentTerms={"netDays": 30.0}),
        "/paymentTerms/netDays",
    ),
    "true where an integer belongs": (with_data(CREATE, paymentTerms={"netDays": True}), "/paymentTerms/netDays"),
    "an unknown field": (with_data(BIND, unknown=1), "/unknown"),
    "an unknown field that forges log lines": (with_data(BIND, **{FORGED: 1}), '/x?{"event": "forged"}???[31m'),
    "an unknown field named like a card": (with_data(BIND, **{CARD: 1}), "/?"),
    "null for a string": (with_data(BIND, account=None), "/account"),
    "a number for a string": (with_data(BIND, account=5), "/account"),
    "an array for a string": (with_data(BIND, account=["main"]), "/account"),
    "an account with a space": (with_data(BIND, account="with space"), "/account"),
    "an account with a slash": (with_data(BIND, account="a/b"), "/account"),
    "an account of 64 characters": (with_data(BIND, account="a" * 64), "/account"),
    "an account in upper case": (with_data(BIND, account="MAIN"), "/account"),
    "an account of two dots": (with_data(BIND, account=".."), "/account"),
    "an account with a line end": (with_data(BIND, account="main\n"), "/account"),
    "an account of a lone surrogate": (with_data(BIND, account="\ud800"), "/account"),
    "an account of SQL": (with_data(BIND, account=SQL), "/account"),
    "an account that forges log lines": (with_data(BIND, account=FORGED), "/account"),
    "a project with a NUL": (with_data(BIND, project="a\0b"), "/project"),
    "a NUL in a name": (with_data(CREATE, displayName="nul\0"), "/displayName"),
    "a lone surrogate in a name": (with_data(CREATE, displayName="\udc00"), "/displayName"),
    "zero width in a name": (with_data(CREATE, displayName="zero\u200bwidth"), "/displayName"),
    "right to left in a name": (with_data(CREATE, displayName="right\u202eto left"), "/displayName"),
    "a name that forges log lines": (with_data(CREATE, displayName=FORGED), "/displayName"),
    "a name in NFD that is too long": (with_data(CREATE, displayName="x" * 128 + "u\u0308"), "/displayName"),
    "a lone surrogate in a label's name": (with_data(CREATE, labels={"\ud800": "x"}), "/labels"),
    "right to left in a label's value": (with_data(CREATE, labels={"a": "\u202e"}), "/labels/a"),
    "two labels that are one in NFC": (with_data(CREATE, labels={"\u00fc": "1", "u\u0308": "2"}), "/labels"),
    "an email that forges headers": (
        with_data(CREATE, contact={"email": "a@acme.com\r\nBcc: c@acme.com"}),
        "/contact/email",
    ),
    "an email of 320 characters": (with_data(CREATE, contact={"email": "a" * 311 + "@acme.com"}), "/contact/email"),
    "an email with a quoted local part": (with_data(CREATE, contact={"email": '"a b"@acme.com'}), "/contact/email"),
    "an email with a name": (with_data(CREATE, contact={"email": "Anna <anna@acme.com>"}), "/contact/email"),
    "two emails": (with_data(CREATE, contact={"email": "a@acme.com,b@acme.com"}), "/contact/email"),
    "no data": (structured({k: v for k, v in BIND.items() if k != "data"}), ""),
    "data that is null": (structured({**BIND, "data": None}), ""),
    "data that is an array": (structured({**BIND, "data": []}), ""),
    "data that is a string": (structured({**BIND, "data": "x"}), ""),
    "binary data that is an array": (binary({**BIND, "data": []}), ""),
    "expectedversion as text": (structured({**BIND, "expectedversion": "2"}), "/expectedversion"),
    "expectedversion true": (structured({**BIND, "expectedversion": True}), "/expectedversion"),
    "expectedversion with a fraction": (structured({**BIND, "expectedversion": 2.0}), "/expectedversion"),
    "expectedversion below 0": (structured({**BIND, "expectedversion": -1}), "/expectedversion"),
    "expectedversion past 2^64": (structured({**BIND, "expectedversion": 2**64}), "/expectedversion"),
    "binary expectedversion in words": (binary({**BIND, "expectedversion": "two"}), "/expectedversion"),
    "binary expectedversion with a zero in front": (binary({**BIND, "expectedversion": "02"}), "/expectedversion"),
    "binary expectedversion of 5,000 digits": (binary({**BIND, "expectedversion": "9" * 5_000}), "/expectedversion"),
    "dryrun as text": (structured({**BIND, "dryrun": "true"}), "/dryrun"),
    "dryrun as a number": (structured({**BIND, "dryrun": 1}), "/dryrun"),
    "binary dryrun in words": (binary({**BIND, "dryrun": "yes"}), "/dryrun"),
    "an empty actor": (structured({**BIND, "actor": ""}), "/actor"),
    "an actor that is a number": (structured({**BIND, "actor": 5}), "/actor"),
    "an actor of 201 characters": (structured({**BIND, "actor": "a" * 201}), "/actor"),
    "an actor from right to left": (structured({**BIND, "actor": "a\u202eb"}), "/actor"),
    "an actor of a lone surrogate": (structured({**BIND, "actor": "\ud800"}), "/actor"),
    "an actor that forges log lines": (structured({**BIND, "actor": FORGED}), "/actor"),
    "a binary actor that is not UTF-8": (
        Record(binary(BIND).value, headers=[(n, b"\xff" if n == "ce_actor" else v) for n, v in binary(BIND).headers]),
        "/actor",
    ),
    "data of another content type": (structured({**BIND, "datacontenttype": "text/plain"}), "/datacontenttype"),
    "a content type that is a number": (structured({**BIND, "datacontenttype": 5}), "/datacontenttype"),
    "almost JSON": (structured({**BIND, "datacontenttype": "application/jsonx"}), "/datacontenttype"),
    "binary data of another content type": (binary(BIND, content_type="application/avro"), "/datacontenttype"),
    "data in base 64": (structured({**BIND, "data_base64": "e30="}), "/data_base64"),
} | {f"time: {row}": (with_profile(validUntil=moment), "/paymentProfile/validUntil") for row, moment in TIMES.items()}
"""Commands that say INVALID_DATA, and where."""

REFUSED: dict[str, tuple[Record, Refused]] = (
    {row: (record, [(Reason.INVALID_DATA, path)]) for row, (record, path) in INVALID.items()}
    | {
        f"currency: {code or 'empty'}": (with_data(CREATE, currency=code), [(Reason.INVALID_CURRENCY, "/currency")])
        for code in ("eur", "XXX", "ABC", "XAU", "EURO", "")
    }
    | {
        "a card number at creation": (
            with_profile(externalId=CARD),
            [(Reason.SENSITIVE_DATA_REFUSED, "/paymentProfile/externalId")],
        ),
        "a card number within other text": (
            with_profile(externalId=f"pm_{CARD.replace(' ', '').replace('-', '')}_x"),
            [(Reason.SENSITIVE_DATA_REFUSED, "/paymentProfile/externalId")],
        ),
        "a card number in a report": (
            structured(
                {
                    **BIND,
                    "type": "billing.account.report-payment-profile.v1",
                    "data": {"account": "main", "externalId": CARD, "status": "Valid"},
                }
            ),
            [(Reason.SENSITIVE_DATA_REFUSED, "/externalId")],
        ),
        "everything wrong at once": (
            structured({**CREATE, "dryrun": None, "expectedversion": "x", "data": {"account": "A", "currency": "eur"}}),
            [
                (Reason.INVALID_DATA, "/expectedversion"),
                (Reason.INVALID_DATA, "/account"),
                (Reason.INVALID_CURRENCY, "/currency"),
            ],
        ),
        "not meant as JSON": (
            Record(b"\x02\x04\xff", headers=binary(BIND, content_type="application/avro").headers),
            [(Reason.INVALID_DATA, "/data_base64"), (Reason.INVALID_DATA, "/datacontenttype")],
        ),
    }
)
"""Commands whose data is refused: every code and where."""

UNKNOWN: dict[str, str] = {
    "an unknown major version": "billing.account.create.v2",
    "an unknown word": "billing.account.frobnicate.v1",
    "an event": "billing.account.created.v1",
    "an empty type": "",
    "a type of 100,000 characters": "x" * 100_000,
    "a type of SQL": SQL,
    "a type that forges log lines": FORGED,
    "a type of a lone surrogate": "a\ud800\u202e\0b",
}
"""Types of commands that there are not."""

HARMLESS: dict[str, Record] = {
    "no headers at all": structured(CREATE),
    "a header that is null": with_headers(("a", None), ("ce_id", None)),
    "a header that is not UTF-8": with_headers(("a", b"\xff\xfe"), ("ce_id", b"\xff")),
    "a header twice": with_headers(("a", b"1"), ("a", b"2")),
    "a header without a name": with_headers(("", b"x"), ("ce_", b"")),
    "a content type that is not UTF-8": with_headers(("content-type", b"\xff"), ("content-type", None)),
    "10,000 headers": with_headers(*many(10_000)),
    "10,000 headers in binary mode": binary_with(*many(10_000)),
    "100,000 headers": with_headers(*[("h", None)] * 100_000),
    "a header of 1 MB": with_headers(("h", b"x" * 1_000_000)),
    "a header of 1 MB in binary mode": binary_with(("h", b"x" * 1_000_000)),
    "a header that forges log lines": with_headers((FORGED, FORGED.encode())),
    "a reply_to that names a topic": with_headers(("reply_to", b"billing.account-events")),
    "binary mode": binary(CREATE),
    "both modes, agreeing": with_headers(CLOUD_EVENT, ("ce_specversion", b"1.0"), ("ce_id", b"command-1")),
    "a trace": structured({**CREATE, "traceparent": TRACEPARENT, "tracestate": "a=b"}),
    "a bad traceparent": structured({**CREATE, "traceparent": "00-zz-zz-01"}),
    "a traceparent of zeros": structured({**CREATE, "traceparent": f"00-{'0' * 32}-{'0' * 16}-01"}),
    "a traceparent that is a number": structured({**CREATE, "traceparent": 5}),
    "a traceparent that forges log lines": structured({**CREATE, "traceparent": FORGED}),
    "a bad traceparent in binary mode": binary_with(("ce_traceparent", b"\xff")),
    "a huge tracestate": structured({**CREATE, "tracestate": "a=b," * 50_000}),
    "a tracestate with a line end": structured({**CREATE, "tracestate": "a=b\nc"}),
    "a correlation that forges log lines": structured({**CREATE, "correlationid": FORGED}),
    "a correlation of 300 characters": structured({**CREATE, "correlationid": "x" * 300}),
    "a source that forges log lines": structured({**CREATE, "source": FORGED}),
    "attributes that nobody knows": structured({**CREATE, "priority": "high", "\ud800": [1.5]}),
    "SQL in a name": with_data(CREATE, displayName=SQL),
    "templates in a name": with_data(CREATE, displayName="{{7*7}} ${jndi:ldap} %s%n \\u0000 </script>"),
    "a name in NFD": with_data(CREATE, displayName="Zu\u0308rich"),
    "an email in another script": with_data(CREATE, contact={"email": "pelé@bücher.com"}),
    "an email in Punycode": with_data(CREATE, contact={"email": "anna@xn--bcher-kva.com"}),
    "an actor of quotes and backslashes": structured({**CREATE, "actor": '"a\\"}{\\u0000', "correlationid": '"\\'}),
    "attributes repeated as headers": with_headers(
        CLOUD_EVENT,
        ("ce_expectedversion", b"0"),
        ("ce_dryrun", b"false"),
        envelope={**CREATE, "expectedversion": 0, "dryrun": False},
    ),
    "an id with every sign that one may have": structured({**CREATE, "id": "command-1:A.z_-9"}),
} | {f"informative time: {row}": structured({**CREATE, "time": moment}) for row, moment in TIMES.items()}
"""What is only odd: judged by its content."""

IGNORED: dict[str, str] = {
    "a bad traceparent": "traceparent",
    "a traceparent of zeros": "traceparent",
    "a traceparent that is a number": "traceparent",
    "a traceparent that forges log lines": "traceparent",
    "a bad traceparent in binary mode": "traceparent",
    "a huge tracestate": "tracestate",
    "a tracestate with a line end": "tracestate",
    "a correlation that forges log lines": "correlationid",
    "a correlation of 300 characters": "correlationid",
}
"""Attributes of harmless rows that do not count, and are counted."""
