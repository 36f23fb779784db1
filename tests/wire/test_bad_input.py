"""Bad input at the level of the reader: each row is a dead letter, a refusal with its path, or of no consequence."""

import json
import time
from typing import Any

import pytest

from tests.wire.given import BIND, CREATE, PARTITIONS, Record, binary, reading, reasons, refused, request, structured
from worker.domain.decision import Reason
from worker.wire.partitions import partition_of
from worker.wire.request import Unreadable, Why

GOOD = json.dumps(BIND)
SECONDS_MAX = 2.0


def with_data(envelope: Any, **data: object) -> Record:
    return structured({**envelope, "data": {**envelope["data"], **data}})


def with_raw(field: str, raw: str) -> Record:
    """A bind whose data has one more member, its value written as given."""
    return Record(GOOD.replace('"account": "main"', f'"account": "main", "{field}": {raw}').encode())


UNREADABLE: dict[str, tuple[bytes | None, Why]] = {
    "null value": (None, Why.EMPTY_VALUE),
    "empty value": (b"", Why.EMPTY_VALUE),
    "null": (b"null", Why.NOT_AN_OBJECT),
    "an array": (b"[]", Why.NOT_AN_OBJECT),
    "a string": (b'"x"', Why.NOT_AN_OBJECT),
    "a number": (b"1", Why.NOT_AN_OBJECT),
    "white space": (b"  \n", Why.NOT_JSON),
    "not UTF-8": (GOOD.encode().replace(b"anna", b"ann\xff"), Why.NOT_UTF8),
    "UTF-16 with a mark": (GOOD.encode("utf-16"), Why.NOT_UTF8),
    "UTF-16 without a mark": (GOOD.encode("utf-16-le"), Why.NOT_JSON),
    "surrogates encoded": (GOOD.encode().replace(b"anna", b"\xed\xa0\x80"), Why.NOT_UTF8),
    "byte order mark": (b"\xef\xbb\xbf" + GOOD.encode(), Why.BYTE_ORDER_MARK),
    "raw control character": (GOOD.replace("anna", "an\x01na").encode(), Why.NOT_JSON),
    "raw line end in a string": (GOOD.replace("anna", "an\nna").encode(), Why.NOT_JSON),
    "trailing junk": (GOOD.encode() + b"x", Why.NOT_JSON),
    "two documents": (GOOD.encode() * 2, Why.NOT_JSON),
    "truncated": (GOOD.encode()[:-1], Why.NOT_JSON),
    "trailing comma": (b'{"a":1,}', Why.NOT_JSON),
    "single quotes": (GOOD.replace('"', "'").encode(), Why.NOT_JSON),
    "duplicate attribute": (GOOD.encode()[:-1] + b', "id": "other"}', Why.DUPLICATE_KEY),
    "duplicate key in data": (GOOD.replace('"account"', '"project": "x", "account"').encode(), Why.DUPLICATE_KEY),
    "duplicate key by escape": (
        GOOD.replace('"account"', '"\\u0070roject": "x", "account"').encode(),
        Why.DUPLICATE_KEY,
    ),
    "NaN": (GOOD.replace('"main"', "NaN").encode(), Why.NOT_A_NUMBER),
    "Infinity": (GOOD.replace('"main"', "-Infinity").encode(), Why.NOT_A_NUMBER),
    "5,000 digits": (GOOD.replace('"main"', "9" * 5_000).encode(), Why.NUMBER_TOO_LONG),
    "500,000 digits": (GOOD.replace('"main"', "9" * 500_000).encode(), Why.NUMBER_TOO_LONG),
    "depth 500": (GOOD.replace('"main"', "[" * 500 + "]" * 500).encode(), Why.TOO_DEEP),
    "depth 500 of objects": (GOOD.replace('"main"', '{"a":' * 500 + "1" + "}" * 500).encode(), Why.TOO_DEEP),
    "depth 100,000": (b"[" * 100_000, Why.TOO_DEEP),
    "one million empty objects": (b"[" + b"{}," * 999_999 + b"{}]", Why.TOO_LARGE),
    "empty objects up to the limit": (b"[" + b"{}," * 170_000 + b"{}]", Why.NOT_AN_OBJECT),
    "escaped quotes without an end": (b'{"' + b'\\"' * 250_000, Why.NOT_JSON),
    "brackets in a string without an end": (b'"' + b"[" * 500_000, Why.NOT_JSON),
    "above 512 KiB": (GOOD.replace("anna", "a" * 512 * 1024).encode(), Why.TOO_LARGE),
    "schema registry": (b"\0\0\0\0\x07" + GOOD.encode(), Why.SCHEMA_REGISTRY_FRAMING),
}


@pytest.mark.parametrize("row", UNREADABLE)
def test_what_is_not_strict_json_is_a_dead_letter_in_bounded_time(row: str) -> None:
    value, why = UNREADABLE[row]
    began = time.perf_counter()

    read_as = reading(Record(value))

    assert isinstance(read_as, Unreadable)
    assert read_as.reason == why
    assert len(read_as.detail.encode()) <= 1024
    assert time.perf_counter() - began < SECONDS_MAX


@pytest.mark.parametrize(
    "changes",
    [
        {"specversion": None},
        {"specversion": "0.3"},
        {"specversion": 1.0},
        {"id": None},
        {"id": ""},
        {"id": 7},
        {"id": "with space"},
        {"id": "with/slash"},
        {"id": "a" * 129},
        {"id": "line-end\n"},
        {"id": "zürich"},
        {"source": None},
        {"source": ""},
        {"source": 1},
        {"type": None},
        {"type": 5},
        {"organization": None},
        {"organization": ""},
        {"organization": "Acme"},
        {"organization": "a b"},
        {"organization": "a/b"},
        {"organization": ".."},
        {"organization": "a" * 64},
        {"organization": "acme\n"},
        {"organization": "-acme"},
        {"organization": "\ud800"},
    ],
    ids=str,
)
def test_an_envelope_that_names_nobody_to_answer_is_a_dead_letter(changes: dict[str, object]) -> None:
    read_as = reading(structured({**BIND, **changes}))

    assert isinstance(read_as, Unreadable)
    assert read_as.reason == Why.BAD_ENVELOPE
    assert next(iter(changes)) in read_as.detail


@pytest.mark.parametrize(
    ("record", "path"),
    [
        (with_raw("x", "1e400"), "/x"),
        (with_raw("onExisting", "1e400"), "/onExisting"),
        (with_raw("onExisting", str(2**63)), "/onExisting"),
        (with_raw("onExisting", str(2**64 + 1)), "/onExisting"),
        (with_raw("onExisting", "9" * 4_300), "/onExisting"),
        (with_data(BIND, unknown=1), "/unknown"),
        (with_data(BIND, account=None), "/account"),
        (with_data(BIND, account=5), "/account"),
        (with_data(BIND, account=["main"]), "/account"),
        (with_data(BIND, account="with space"), "/account"),
        (with_data(BIND, account="a/b"), "/account"),
        (with_data(BIND, account="a" * 64), "/account"),
        (with_data(BIND, account="MAIN"), "/account"),
        (with_data(BIND, account=".."), "/account"),
        (with_data(BIND, account="main\n"), "/account"),
        (with_data(BIND, account="\ud800"), "/account"),
        (with_data(BIND, project="a\0b"), "/project"),
        (with_data(CREATE, displayName="zero\u200bwidth"), "/displayName"),
        (with_data(CREATE, displayName="right\u202eto left"), "/displayName"),
        (with_data(CREATE, displayName="nul\0"), "/displayName"),
        (with_data(CREATE, displayName="\udc00"), "/displayName"),
        (with_data(CREATE, labels={"\ud800": "x"}), "/labels"),
        (with_data(CREATE, contact={"email": "a@b.example\r\nBcc: c@d.example"}), "/contact/email"),
        (with_data(CREATE, contact={"email": "a" * 311 + "@b.example"}), "/contact/email"),
        (with_data(CREATE, paymentTerms={"netDays": 2**64}), "/paymentTerms/netDays"),
        (with_data(CREATE, paymentTerms={"netDays": 30.0}), "/paymentTerms/netDays"),
        (with_data(CREATE, paymentTerms={"netDays": True}), "/paymentTerms/netDays"),
        (structured({k: v for k, v in BIND.items() if k != "data"}), ""),
        (structured({**BIND, "data": None}), ""),
        (structured({**BIND, "data": []}), ""),
        (structured({**BIND, "data": "x"}), ""),
        (binary({**BIND, "data": []}), ""),
        (structured({**BIND, "expectedversion": "2"}), "/expectedversion"),
        (structured({**BIND, "expectedversion": True}), "/expectedversion"),
        (structured({**BIND, "expectedversion": 2.0}), "/expectedversion"),
        (structured({**BIND, "expectedversion": -1}), "/expectedversion"),
        (structured({**BIND, "expectedversion": 2**64}), "/expectedversion"),
        (binary({**BIND, "expectedversion": "two"}), "/expectedversion"),
        (binary({**BIND, "expectedversion": "02"}), "/expectedversion"),
        (structured({**BIND, "dryrun": "true"}), "/dryrun"),
        (structured({**BIND, "dryrun": 1}), "/dryrun"),
        (binary({**BIND, "dryrun": "yes"}), "/dryrun"),
        (structured({**BIND, "actor": ""}), "/actor"),
        (structured({**BIND, "actor": 5}), "/actor"),
        (structured({**BIND, "actor": "a" * 201}), "/actor"),
        (structured({**BIND, "actor": "a\u202eb"}), "/actor"),
        (structured({**BIND, "actor": "\ud800"}), "/actor"),
        (structured({**BIND, "datacontenttype": "text/plain"}), "/datacontenttype"),
        (structured({**BIND, "datacontenttype": 5}), "/datacontenttype"),
        (structured({**BIND, "datacontenttype": "application/jsonx"}), "/datacontenttype"),
        (binary(BIND, content_type="application/avro"), "/datacontenttype"),
        (structured({**BIND, "data_base64": "e30="}), "/data_base64"),
    ],
)
def test_bad_data_is_refused_where_it_stands(record: Record, path: str) -> None:
    assert refused(record) == [(Reason.INVALID_DATA, path)]
    assert request(record).action is None


@pytest.mark.parametrize("currency", ["eur", "XXX", "ABC", "XAU", "EURO", ""])
def test_only_active_currencies_are_taken(currency: str) -> None:
    assert refused(with_data(CREATE, currency=currency)) == [(Reason.INVALID_CURRENCY, "/currency")]


@pytest.mark.parametrize(
    "moment",
    [
        1_795_341_600,
        "1795341600",
        "2026-11-22T10:00:00",
        "9999-12-31T23:59:59-12:00",
        "0001-01-01T00:00:00Z",
        "2026-11-22T10:00:00.123456789Z",
        "2026-11-22T10:00:60Z",
        "2026-11-22 10:00:00Z",
        "",
    ],
)
def test_only_instants_with_an_offset_are_taken(moment: object) -> None:
    profile = {"type": "card", "externalId": "pm_1", "validUntil": moment}

    assert refused(with_data(CREATE, paymentProfile=profile)) == [(Reason.INVALID_DATA, "/paymentProfile/validUntil")]
    assert request(structured({**BIND, "time": moment})).action is not None


def test_everything_wrong_is_told_at_once() -> None:
    record = structured({**CREATE, "dryrun": 1, "expectedversion": "x", "data": {"account": "A", "currency": "eur"}})

    assert refused(record) == [
        (Reason.INVALID_DATA, "/expectedversion"),
        (Reason.INVALID_DATA, "/dryrun"),
        (Reason.INVALID_DATA, "/account"),
        (Reason.INVALID_CURRENCY, "/currency"),
    ]


@pytest.mark.parametrize(
    "kind",
    ["billing.account.create.v2", "billing.account.frobnicate.v1", "", "billing.account.created.v1", "x" * 100_000],
)
def test_an_unknown_type_or_major_version_is_an_unknown_command(kind: str) -> None:
    unknown = request(structured({**BIND, "type": kind}))

    assert not unknown.is_known
    assert (unknown.data_refusals, unknown.action) == ((), None)
    assert unknown.type == kind[:128]


def test_an_unknown_type_is_repeated_without_characters_that_hide() -> None:
    assert request(structured({**BIND, "type": "a\ud800\u202e\0b"})).type == "a???b"


@pytest.mark.parametrize("key", [None, b"", b"Acme", b"other", b"acme\0", b"\xff"])
def test_a_key_that_is_not_the_organization_is_a_mismatch(key: bytes | None) -> None:
    mismatched = request(Record(GOOD.encode(), key=key))

    assert reasons(mismatched.key_refusals) == [Reason.KEY_MISMATCH]


def test_a_wrong_partition_is_refused_with_the_right_one() -> None:
    home = partition_of("acme", PARTITIONS)
    elsewhere = request(Record(GOOD.encode(), partition=(home + 1) % PARTITIONS))

    assert reasons(elsewhere.key_refusals) == [Reason.WRONG_PARTITION]
    assert elsewhere.key_refusals[0].details == {"expected": home}


def test_the_key_stage_tells_everything_that_it_finds() -> None:
    home = partition_of("acme", PARTITIONS)
    lost = request(Record(GOOD.encode(), key=b"other", partition=(home + 1) % PARTITIONS))

    assert reasons(lost.key_refusals) == [Reason.KEY_MISMATCH, Reason.WRONG_PARTITION]


@pytest.mark.parametrize("kind", ["unbind", "lock", "unlock", "register", "delete"], ids=lambda kind: f"project.{kind}")
def test_an_expected_version_goes_with_accounts_only(kind: str) -> None:
    read_as = request(structured({**BIND, "type": f"billing.project.{kind}.v1", "expectedversion": 1}))

    assert not read_as.is_known or (Reason.INVALID_DATA, "/expectedversion") in [
        (refusal.reason, refusal.details["path"]) for refusal in read_as.data_refusals
    ]


@pytest.mark.parametrize("statement", ["'; DROP TABLE accounts; --", "{{7*7}}", "%s%n", "\x1b[31m"[1:], "${jndi:ldap}"])
def test_injections_are_text(statement: str) -> None:
    action = request(with_data(CREATE, displayName=statement)).action

    assert action is not None
    assert getattr(action, "display_name", None) == statement


def test_names_are_normalised() -> None:
    action = request(with_data(CREATE, displayName="Zu\u0308rich")).action

    assert getattr(action, "display_name", None) == "Zürich"
