"""Accounts: created, changed, deleted; what is expected of them; what is there already."""

from typing import Any

from tests.contract.cases import ACTIVATED, APPROVAL, CREATED, PENDING, VALID, Seen, Then, Told, bind, case, do, ready
from tests.contract.laws import problems

TERMS = {"netDays": 14, "invoiceDayOfMonth": 5, "invoiceFrequency": "Annual"}
CONTACT = {"email": "bills@example.com", "name": "Zoë"}


def test_everything_that_was_written_keeps_the_form(told: Told) -> None:
    assert problems(told) == []


@case(
    do(
        "account.create",
        ACTIVATED,
        account="a",
        currency="EUR",
        displayName="A",
        contact=CONTACT,
        paymentTerms=TERMS,
        paymentProfile=VALID | {"validUntil": "2090-03-31T23:59:59.5+01:00"},
        labels={"region": "emea"},
    ),
    do("account.create", CREATED, account="b", currency="USD"),
    do("account.create", CREATED, account="c", currency="USD", paymentProfile=PENDING, paymentTerms={"netDays": 7}),
)
def test_an_account_is_created_provisioning_and_becomes_ready_with_a_valid_profile(seen: Seen) -> None:
    full, bare, pending = (seen.one("account.created", name) for name in "abc")
    assert (full["currency"], full["displayName"], full["contact"]) == ("EUR", "A", CONTACT)
    assert (full["paymentTerms"], full["labels"]) == (TERMS, {"region": "emea"})
    assert full["paymentProfiles"]["serving"]["validUntil"] == "2090-03-31T22:59:59.500000Z"
    assert bare["paymentTerms"] == {"netDays": 30, "invoiceDayOfMonth": 1, "invoiceFrequency": "Monthly"}
    assert bare["paymentProfiles"] == {"serving": None, "pending": None}
    assert pending["paymentTerms"] == {"netDays": 7, "invoiceDayOfMonth": 1, "invoiceFrequency": "Monthly"}
    assert seen.phases() == [(None, "Provisioning", "CREATED"), ("Provisioning", "Ready", "ACTIVATED")]
    first, second = seen.of("phase-changed", "a")
    instant = seen.results[0]["time"]
    assert (first["at"], second["since"], second["at"], second["activatedAt"]) == (instant,) * 4
    assert (first["activatedAt"], second["holds"], second["activeBindings"], second["currency"]) == (None, [], 0, "EUR")
    assert [result["data"]["version"] for result in seen.results] == [3, 2, 2]
    state = seen.state("a")
    assert (state["phase"], state["phaseSince"], state["holds"], state["scheduled"]) == ("Ready", instant, [], [])
    assert (state["organization"], state["account"], state["sequence"]) == (seen.organization, "a", 3)
    assert "deletedAt" not in state or state["deletedAt"] is None


@case(
    ready(),
    do("account.create", "ACCOUNT_ALREADY_EXISTS", account="a", currency="USD"),
    do("account.delete", "deleted", account="a"),
    do("account.create", "ACCOUNT_ALREADY_EXISTS", account="a", currency="USD"),
)
def test_an_id_is_never_used_twice(seen: Seen) -> None:
    assert seen.state("a")["currency"] == "EUR"


@case(
    ready(displayName="A", contact=CONTACT, labels={"x": "1", "y": "2"}),
    do("account.update", "updated", account="a", labels={"y": "3"}),
    do("account.update", "updated", account="a", contact={"email": "other@example.com"}),
    do("account.update", "updated", account="a", displayName=None, labels=None),
    do("account.update", "", account="a"),
    do("account.update", "", account="a", displayName=None, contact={"email": "other@example.com"}),
)
def test_an_update_keeps_what_is_absent_clears_what_is_null_and_replaces_the_rest_whole(seen: Seen) -> None:
    first, second, third = seen.of("account.updated")
    assert (first["displayName"], first["contact"], first["labels"]) == ("A", CONTACT, {"y": "3"})
    assert second["contact"]["email"] == "other@example.com"
    assert second["contact"].get("name") is None
    assert (third["displayName"], third["labels"]) == (None, {})
    assert seen.results[4]["data"] | {"events": [], "eventCount": 0, "version": 6} == seen.results[4]["data"]
    assert seen.state("a")["contact"]["email"] == "other@example.com"


@case(
    do("account.create", CREATED, account="a", currency="EUR"),
    do("account.change-currency", "currency-changed", account="a", currency="USD"),
    do("account.change-currency", "", account="a", currency="USD"),
    do("account.attach-payment-profile", "payment-profile-attached >Ready", account="a", paymentProfile=VALID),
    do("account.change-currency", "CURRENCY_LOCKED", account="a", currency="EUR"),
    do("account.change-currency", "", account="a", currency="USD"),
    do("account.change-currency", "INVALID_CURRENCY", account="a", currency="usd"),
)
def test_the_currency_may_change_until_the_account_is_activated(seen: Seen) -> None:
    assert seen.one("currency-changed") == {"account": "a", "currency": "USD"}
    assert seen.of("phase-changed")[-1]["currency"] == "USD"


@case(
    ready(),
    do("account.change-payment-terms", "payment-terms-changed", account="a", paymentTerms=TERMS),
    do("account.change-payment-terms", "", account="a", paymentTerms=TERMS),
    do("account.change-payment-terms", "payment-terms-changed", account="a", paymentTerms={"netDays": 10}),
    do("account.change-payment-terms", "", account="a", paymentTerms={"netDays": 10, "invoiceDayOfMonth": 1}),
)
def test_payment_terms_are_replaced_whole(seen: Seen) -> None:
    assert seen.of("payment-terms-changed")[1] == {
        "account": "a",
        "paymentTerms": {"netDays": 10, "invoiceDayOfMonth": 1, "invoiceFrequency": "Monthly"},
    }
    assert seen.state("a")["paymentTerms"]["netDays"] == 10


Commands = tuple[tuple[str, dict[str, Any]], ...]
EVERY: Commands = (
    ("account.update", {"displayName": "B"}),
    ("account.change-currency", {"currency": "EUR"}),
    ("account.change-payment-terms", {"paymentTerms": {"netDays": 3}}),
    ("account.attach-payment-profile", {"paymentProfile": VALID | {"externalId": "pm-9"}}),
    ("account.report-payment-profile", {"externalId": "pm-1", "status": "Invalid"}),
    ("account.detach-payment-profile", {}),
    ("account.suspend", {"reason": "NON_PAYMENT", "message": "So."}),
    ("account.schedule-suspension", {"reason": "NON_PAYMENT", "dueAt": "2090-01-01T00:00:00Z", "message": "So."}),
)
NEED_SOMETHING = (
    ("account.cancel-suspension", {"reason": "NON_PAYMENT"}),
    ("account.reactivate", {"all": True, "approval": APPROVAL}),
)
ARCHIVE = ("account.archive", {"approval": APPROVAL})
ALL: Commands = (*EVERY, *NEED_SOMETHING, ARCHIVE, ("account.delete", {}))


@case(
    *(do(kind, "ACCOUNT_NOT_FOUND", **{"account": "nobody"} | data) for kind, data in ALL),
    bind(expect="ACCOUNT_NOT_FOUND"),
)
def test_nothing_is_judged_of_an_account_that_nobody_knows(seen: Seen) -> None:
    assert seen.events == []
    assert all(isinstance(seen.details(number), dict) for number in range(len(seen.results)))


@case(
    ready(),
    do("account.delete", "deleted", account="a"),
    *(do(kind, "ACCOUNT_DELETED", **{"account": "a"} | data) for kind, data in ALL),
    bind(expect="ACCOUNT_DELETED"),
    do("account.create", "ACCOUNT_ALREADY_EXISTS", account="a", currency="EUR"),
)
def test_a_deleted_account_is_gone_for_all_else(seen: Seen) -> None:
    assert seen.one("account.deleted") == {"account": "a", "phase": "Ready", "lastBindingUntil": None}
    assert seen.state("a")["deletedAt"] == seen.results[1]["time"]


@case(
    ready(),
    do("account.archive", ">Archived", account="a", approval=APPROVAL),
    *(do(kind, "ACCOUNT_ARCHIVED", **{"account": "a"} | data) for kind, data in ALL[:-1]),
    bind(expect="ACCOUNT_ARCHIVED"),
    do("account.create", "ACCOUNT_ALREADY_EXISTS", account="a", currency="EUR"),
    do("account.delete", "deleted", account="a"),
    do("account.update", "ACCOUNT_DELETED", account="a"),
)
def test_an_archived_account_can_only_be_deleted(seen: Seen) -> None:
    changed = seen.of("phase-changed")[-1]
    assert (changed["reason"], changed["approval"]) == ("CLOSED", APPROVAL)
    assert seen.one("account.deleted")["phase"] == "Archived"


@case(
    ready(),
    bind(),
    do("account.delete", "ACTIVE_BINDINGS", account="a"),
    do("project.unbind", "released payer-missing", project="p"),
    do("account.delete", "deleted", account="a"),
)
def test_an_account_that_pays_cannot_be_deleted(seen: Seen) -> None:
    assert seen.details(2) == {"count": 1, "sample": ["p"]}
    assert seen.one("account.deleted")["lastBindingUntil"] == seen.one("released")["until"]


@case(
    do("account.create", CREATED, account="a", currency="EUR").but(expectedversion=0),
    do("account.create", "VERSION_CONFLICT", account="b", currency="EUR").but(expectedversion=1),
    do("account.update", "updated", account="a", displayName="1").but(expectedversion=2),
    do("account.update", "VERSION_CONFLICT", account="a", displayName="2").but(expectedversion=2),
    do("account.update", "ACCOUNT_NOT_FOUND", account="c").but(expectedversion=2),
    do("account.change-currency", "VERSION_CONFLICT", account="a", currency="EUR").but(expectedversion=0),
    ready("r"),
    bind(account="r", expect="VERSION_CONFLICT").but(expectedversion=2),
    bind(account="r").but(expectedversion=3),
    do("project.unbind", "INVALID_DATA", project="p").but(expectedversion=3),
    do("project.register", "INVALID_DATA", project="q").but(expectedversion=0),
    do("project.lock", "INVALID_DATA", project="p", note="n").but(expectedversion=1),
    do("project.unlock", "INVALID_DATA", project="p", note="n").but(expectedversion=1),
    do("project.delete", "INVALID_DATA", project="p").but(expectedversion=1),
    ready("s"),
    do("account.move-projects", "VERSION_CONFLICT", from_="r", to="s").but(expectedversion=2),
    do("account.move-projects", "superseded established", from_="r", to="s").but(expectedversion=3),
)
def test_the_expected_version_is_the_sequence_of_the_accounts_last_event(seen: Seen) -> None:
    assert [seen.results[number]["data"]["version"] for number in (0, 2)] == [2, 3]


@case(
    do("account.create", CREATED, account="a", currency="EUR"),
    do("account.change-currency", "ACCOUNT_NOT_FOUND", account="theirs", currency="EUR"),
    Then(),
    bind(account="theirs", expect="ACCOUNT_NOT_FOUND"),
)
def test_accounts_of_other_organizations_are_not_found(seen: Seen) -> None:
    assert seen.details(1) is not None


@case(ready("theirs"))
def test_another_organization_has_an_account_theirs(seen: Seen) -> None:
    assert seen.phases("theirs")[-1][1] == "Ready"
