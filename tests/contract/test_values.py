"""Limits and alphabets of values: each line is one value, what it stands in, and whether it is taken."""

import json
from typing import Any

from tests.contract.cases import APPROVAL, VALID, Seen, Step, Told, case, do, ready
from tests.contract.laws import problems

TAKEN = ""
SURROGATE = "\ud800"
CARD = "4111111111111111"


def test_everything_that_was_written_keeps_the_form(told: Told) -> None:
    assert problems(told) == []


def each(word: str, *lines: tuple[str, Any, str], **data: Any) -> tuple[Step, ...]:
    """Dry runs that differ in one field; its name may be a path."""
    return tuple(_dry(word, name, value, expect, data) for name, value, expect in lines)


def _dry(word: str, name: str, value: Any, expect: str, data: dict[str, Any]) -> Step:
    filled = json.loads(json.dumps(data))
    *above, last = name.split("/")
    place = filled
    for part in above:
        place = place.setdefault(part, {})
    place[last] = value
    return Step(word, f"dry: {expect}" if expect else "*", filled).but(dryrun=True)


def checked(seen: Seen, steps: tuple[Step, ...]) -> list[str]:
    """The lines that should be taken and are not."""
    return [
        f"{step.data}: {seen.outcome(number)}"
        for number, step in enumerate(steps)
        if step.outcome == "*" and not seen.results[number]["data"]["wouldAccept"]
    ]


BAD = "INVALID_DATA"
CREATE = each(
    "account.create",
    ("account", "a" * 63, TAKEN),
    ("account", "0-a", TAKEN),
    ("account", "a" * 64, BAD),
    ("account", "-a", BAD),
    ("account", "a-", BAD),
    ("account", "a.b", BAD),
    ("account", "a_b", BAD),
    ("account", "Á", BAD),
    ("account", "a\n", BAD),
    ("account", "", BAD),
    ("account", None, BAD),
    ("account", 7, BAD),
    *(("currency", code, TAKEN) for code in ("USD", "CHF", "JPY", "KWD", "BHD", "UYU", "CLP", "VES", "SLE", "XOF")),
    *(
        ("currency", code, "INVALID_CURRENCY")
        for code in ("eur", "XXX", "XTS", "XAU", "XAG", "XDR", "CLF", "CHE", "USN", "MXV", "UYI", "DEM", "HRK", "ABC")
    ),
    ("currency", "EURO", "INVALID_CURRENCY"),
    ("currency", "", "INVALID_CURRENCY"),
    ("currency", "EUR ", "INVALID_CURRENCY"),
    ("paymentTerms/netDays", 1, TAKEN),
    ("paymentTerms/netDays", 365, TAKEN),
    ("paymentTerms/netDays", 0, BAD),
    ("paymentTerms/netDays", 366, BAD),
    ("paymentTerms/netDays", "30", BAD),
    ("paymentTerms/netDays", True, BAD),
    ("paymentTerms/netDays", 30.5, BAD),
    ("paymentTerms/netDays", None, BAD),
    ("paymentTerms/netDays", 2**64, BAD),
    ("paymentTerms/invoiceDayOfMonth", 28, TAKEN),
    ("paymentTerms/invoiceDayOfMonth", 29, BAD),
    ("paymentTerms/invoiceDayOfMonth", 0, BAD),
    ("paymentTerms/invoiceFrequency", "Quarterly", TAKEN),
    ("paymentTerms/invoiceFrequency", "Annual", TAKEN),
    ("paymentTerms/invoiceFrequency", "monthly", BAD),
    ("paymentTerms/more", 1, BAD),
    ("contact/email", "invoices@acme.example", TAKEN),
    ("contact/email", "bills+tag@example.com", TAKEN),
    ("contact/email", "no-at-sign", BAD),
    ("contact/email", "a@example.com\r\nBcc: x@example.com", BAD),
    ("contact/email", "a" * 310 + "@example.com", BAD),
    ("contact", {"name": "No email"}, BAD),
    ("contact", {"email": "a@example.com", "phone": "1"}, BAD),
    ("displayName", "x" * 128, TAKEN),
    ("displayName", "é" * 128, TAKEN),
    ("displayName", "😀" * 128, TAKEN),
    ("displayName", "e\u0301" * 128, TAKEN),
    ("displayName", "x" * 129, BAD),
    ("displayName", "a\u0000b", BAD),
    ("displayName", "a\nb", BAD),
    ("displayName", "a\u007fb", BAD),
    ("displayName", "a\u0085b", BAD),
    ("displayName", "a\u202eb", BAD),
    ("displayName", "a\u2066b", BAD),
    ("displayName", "a\u200eb", BAD),
    ("displayName", "a\u061cb", BAD),
    ("displayName", "a\u200bb", BAD),
    ("displayName", "a\u200db", BAD),
    ("displayName", "a\ufeffb", BAD),
    ("displayName", f"a{SURROGATE}b", BAD),
    ("displayName", None, BAD),
    ("labels", None, BAD),
    ("labels", {f"k{number}": "v" for number in range(64)}, TAKEN),
    ("labels", {f"k{number}": "v" for number in range(65)}, BAD),
    ("labels", {"k" * 63: "v" * 256}, TAKEN),
    ("labels", {"k" * 64: "v"}, BAD),
    ("labels", {"k": "v" * 257}, BAD),
    ("labels", {"k": 1}, BAD),
    ("labels", {"k": None}, BAD),
    ("labels", {"k": "a\u200bb"}, BAD),
    ("labels", {"a\u202eb": "v"}, BAD),
    ("labels", [], BAD),
    account="a",
    currency="EUR",
)


@case(*CREATE)
def test_values_of_an_account_have_limits(seen: Seen) -> None:
    assert checked(seen, CREATE) == []
    assert seen.events == []
    expected = [("/" + name) for name in ("account",) * 8]
    assert [seen.paths(number)[0] for number in range(2, 10)] == expected


PROFILES = each(
    "account.create",
    ("externalId", "pm_1QK7wXLkdIwHu7ix", TAKEN),
    ("externalId", "4111111111111112", TAKEN),
    ("externalId", "411111111111", TAKEN),
    ("externalId", CARD, "SENSITIVE_DATA_REFUSED"),
    ("externalId", "4111 1111 1111 1111", "SENSITIVE_DATA_REFUSED"),
    ("externalId", "4111-1111-1111-1111", "SENSITIVE_DATA_REFUSED"),
    ("externalId", f"pm_{CARD}", "SENSITIVE_DATA_REFUSED"),
    ("externalId", f"pm_{CARD}_x", "SENSITIVE_DATA_REFUSED"),
    ("externalId", "4222222222222", "SENSITIVE_DATA_REFUSED"),
    ("externalId", "378282246310005", "SENSITIVE_DATA_REFUSED"),
    ("externalId", "6304000000000000000", "SENSITIVE_DATA_REFUSED|"),
    ("externalId", "", BAD),
    ("externalId", None, BAD),
    ("status", "valid", BAD),
    ("status", "Invalid", BAD),
    ("status", "Pending", TAKEN),
    ("validUntil", "2090-01-01T00:00:00Z", TAKEN),
    ("validUntil", "2090-01-01T00:00:00.123456+05:30", TAKEN),
    ("validUntil", "2090-01-01t00:00:00z", TAKEN),
    ("validUntil", "9998-12-31T23:59:59.999999Z", TAKEN),
    ("validUntil", "9999-01-01T00:00:00Z", BAD),
    ("validUntil", "1999-12-31T23:59:59Z", BAD),
    ("validUntil", "9999-12-31T23:59:59-12:00", BAD),
    ("validUntil", "2090-01-01T00:00:00", BAD),
    ("validUntil", "2090-01-01T00:00:00.1234567Z", BAD),
    ("validUntil", "2090-01-01", BAD),
    ("validUntil", "2090-02-30T00:00:00Z", BAD),
    ("validUntil", "2090-01-01T25:00:00Z", BAD),
    ("validUntil", "2090-01-01T00:00Z", BAD),
    ("validUntil", "20900101T000000Z", BAD),
    ("validUntil", "2090-W01-1T00:00:00Z", BAD),
    ("validUntil", "2090-01-01T00:00:00+0100", BAD),
    ("validUntil", "2090-01-01T00:00:00,5Z", BAD),
    ("validUntil", "٢٠٩٠-01-01T00:00:00Z", BAD),
    ("validUntil", 3786912000, BAD),
    ("validUntil", None, BAD),
    ("more", 1, BAD),
    account="a",
    currency="EUR",
    paymentProfile=VALID,
)
PROFILES = tuple(
    Step(
        step.word,
        step.outcome,
        {
            "account": "a",
            "currency": "EUR",
            "paymentProfile": {
                name: value for name, value in (step.data["paymentProfile"] | step.data).items()
                if name not in {"account", "currency", "paymentProfile"}
            },
        },
        step.envelope,
    )
    for step in PROFILES
)  # fmt: skip


@case(*PROFILES)
def test_values_of_a_payment_profile_have_limits(seen: Seen) -> None:
    assert checked(seen, PROFILES) == []
    assert CARD not in json.dumps(seen.results)
    assert "1111 1111" not in json.dumps(seen.results)
    assert seen.paths(3) == ["/paymentProfile/externalId"]


@case(
    ready(
        displayName="Zu\u0308rich", labels={"k": "e\u0301"}, contact={"email": "a@example.com", "name": "Bra\u0308ndli"}
    ),
    do("account.update", "", account="a", displayName="Zürich"),
    do("account.suspend", "hold-placed >Suspended", account="a", reason="ADMINISTRATIVE", message="x" * 1024),
    do("account.suspend", BAD, account="a", reason="ADMINISTRATIVE", message="x" * 1025),
    do("account.suspend", BAD, account="a", reason="ADMINISTRATIVE", message="a\u200bb"),
    do("account.suspend", BAD, account="a", reason="ADMINISTRATIVE"),
    do("account.suspend", BAD, account="a", reason="ADMINISTRATIVE", message="So.", blocksRebind="true"),
    do("account.reactivate", BAD, account="a", all=True, approval=APPROVAL | {"reference": "x" * 1025}),
    do("account.reactivate", BAD, account="a", all=True, approval={"by": "x"}),
    do("account.reactivate", BAD, account="a", all=True, approval={"reference": "x"}),
    do("account.reactivate", BAD, account="a", all=True, approval=APPROVAL | {"more": 1}),
    do("account.report-payment-profile", "SENSITIVE_DATA_REFUSED", account="a", externalId=CARD, status="Valid"),
    do(
        "account.attach-payment-profile",
        "SENSITIVE_DATA_REFUSED",
        account="a",
        paymentProfile={"type": "c", "externalId": CARD},
    ),
    do(
        "account.create",
        "INVALID_CURRENCY INVALID_DATA SENSITIVE_DATA_REFUSED",
        account="B",
        currency="eur",
        paymentProfile={"type": "c", "externalId": CARD},
    ),
    do(
        "account.reactivate",
        "INVALID_DATA|INVALID_DATA INVALID_DATA",
        account="a",
        all=None,
        reason="ADMINISTRATIVE",
        approval=APPROVAL,
    ),
    do("account.update", BAD, account="a", labels={"a/b~c": 1}),
)
def test_text_is_normalised_and_limited(seen: Seen) -> None:
    created = seen.one("account.created")
    assert (created["displayName"], created["labels"], created["contact"]["name"]) == ("Zürich", {"k": "é"}, "Brändli")
    assert seen.paths(3) == seen.paths(4) == seen.paths(5) == ["/message"]
    assert seen.paths(7) == ["/approval/reference"]
    assert seen.paths(13) == ["/account", "/currency", "/paymentProfile/externalId"]
    assert seen.paths(15) == ["/labels/a~1b~0c"]
    assert CARD not in json.dumps(seen.results)
