"""What the data of commands may not be, and what it is answered."""

from typing import Any

import pytest

from schemas.commands import COMMANDS, BindProject, Command, MoveProjects, UpdateAccount, is_known, parse
from schemas.currencies import ACTIVE_CURRENCIES
from schemas.problems import FIELD_NAME_CHARACTERS_MAX, PROBLEMS_MAX, Problem
from schemas.rejections import RejectionCode

BINDING = "9a06193e-8460-586f-a623-5ab7c6cc4430"
CREATE: dict[str, Any] = {"account": "acme-main", "currency": "EUR"}
PROFILE: dict[str, Any] = {"type": "card", "externalId": "pm_1"}
SUSPEND: dict[str, Any] = {"account": "acme-main", "reason": "NON_PAYMENT", "message": "Overdue."}
SCHEDULE: dict[str, Any] = SUSPEND | {"dueAt": "2026-12-01T00:00:00Z"}
BIND: dict[str, Any] = {"project": "web-shop", "account": "acme-main"}
REPORT: dict[str, Any] = {"account": "acme-main", "externalId": "pm_1", "status": "Invalid"}
ARCHIVE: dict[str, Any] = {"account": "acme-main"}
APPROVAL = {"by": "user:jonas", "reference": "T-1"}


def answer(word: str, data: object) -> list[tuple[str, str]]:
    found = parse(f"billing.{word}.v1", data)
    return [] if isinstance(found, Command) else [(problem.code, problem.path) for problem in found]


def invalid(*paths: str) -> list[tuple[str, str]]:
    return [("INVALID_DATA", path) for path in paths]


@pytest.mark.parametrize(
    ("word", "data"),
    [
        ("account.create", CREATE),
        ("account.create", CREATE | {"labels": {}, "paymentTerms": {}, "displayName": "x" * 128}),
        ("account.create", CREATE | {"labels": {f"{n}": "v" * 256 for n in range(63)} | {"k" * 63: ""}}),
        ("account.create", CREATE | {"paymentProfile": PROFILE | {"validUntil": "2030-01-01T00:00:00.5+02:00"}}),
        ("account.create", CREATE | {"contact": {"email": "zoë@müller.example"}}),
        ("account.update", {"account": "acme-main"}),
        ("account.update", {"account": "acme-main", "displayName": None, "contact": None, "labels": None}),
        ("account.change-payment-terms", {"account": "a", "paymentTerms": {"netDays": 365, "invoiceDayOfMonth": 28}}),
        ("account.suspend", SUSPEND | {"hold": "A" * 64, "message": "m" * 1024, "blocksRebind": False}),
        ("account.reactivate", {"account": "a", "all": True}),
        ("account.reactivate", {"account": "a", "reason": "PAYMENT_PROFILE_EXPIRED", "approval": APPROVAL}),
        ("account.archive", ARCHIVE),
        ("account.report-payment-profile", REPORT | {"cause": "Revoked"}),
        ("project.bind", BIND | {"expectedBinding": None, "onExisting": "reject"}),
        ("project.bind", BIND | {"expectedBinding": BINDING.upper()}),
        ("project.bind", {"project": "0" * 63, "account": "a"}),
        ("account.move-projects", {"from": "a", "to": "a", "projects": [f"p{n}" for n in range(5000)]}),
        ("account.move-projects", {"from": "a", "to": "b", "expectedCount": 0}),
        ("lane.tick", {}),
    ],
)
def test_what_the_contract_allows_is_read(word: str, data: Any) -> None:
    assert answer(word, data) == []


@pytest.mark.parametrize("data", [None, [], "x", 1, True, 1.5, "{}"])
@pytest.mark.parametrize("kind", COMMANDS)
def test_data_that_is_no_object_is_refused_as_a_whole(kind: str, data: Any) -> None:
    assert answer(kind.removeprefix("billing.").removesuffix(".v1"), data) == invalid("")


@pytest.mark.parametrize(
    "account",
    ["", "A", "a b", "a/b", "..", "a.b", "a_b", "-a", "a-", "a" * 64, "ä", "a\n", "\ud800", 1, None, True, ["a"]],
)
def test_an_id_is_a_dns_label(account: object) -> None:
    assert answer("account.delete", {"account": account}) == invalid("/account")


@pytest.mark.parametrize("hold", ["", "a b", "a" * 65, "a/b", "ä", "a:b", "a\n", 7, None])
def test_a_hold_has_a_plain_short_id(hold: object) -> None:
    assert answer("account.suspend", SUSPEND | {"hold": hold}) == invalid("/hold")


@pytest.mark.parametrize(
    "currency", ["eur", "XXX", "XTS", "XAU", "CHE", "USN", "ABC", "", "EURO", "EU", "€", "EUR\n", " EUR"]
)
def test_a_currency_that_is_not_active_has_a_code_of_its_own(currency: object) -> None:
    assert answer("account.create", CREATE | {"currency": currency}) == [("INVALID_CURRENCY", "/currency")]


@pytest.mark.parametrize("currency", [None, 978, ["EUR"], True])
def test_a_currency_of_another_json_type_is_invalid_data(currency: object) -> None:
    assert answer("account.change-currency", CREATE | {"currency": currency}) == invalid("/currency")


def test_the_currencies_are_plain_and_many() -> None:
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in ACTIVE_CURRENCIES)
    assert len(ACTIVE_CURRENCIES) == 155
    assert {"EUR", "USD", "CHF", "JPY", "XOF", "ZWG", "XCG", "SLE"} <= ACTIVE_CURRENCIES


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x" * 129,
        "a\nb",
        "a\tb",
        "\x00",
        "\x7f",
        "a\u200bb",
        "a\u200db",
        "\u202eabc",
        "\u2066a",
        "\ufeffa",
        "\ud800",
    ],
)
def test_text_hides_nothing(text: str) -> None:
    assert answer("account.update", {"account": "a", "displayName": text}) == invalid("/displayName")


@pytest.mark.parametrize("at", [1764547200, "1764547200", "2026-12-01T00:00:00", "2026-12-01", None, "soon", ["x"]])
def test_an_instant_is_text_with_an_offset(at: object) -> None:
    assert answer("account.schedule-suspension", SCHEDULE | {"dueAt": at}) == invalid("/dueAt")


@pytest.mark.parametrize(
    "email",
    [
        "",
        "a",
        "a@",
        "@b.example",
        "a@b",
        "a@b.example\r\nBcc: c@d.example",
        '"a b"@c.example',
        "A <a@b.example>",
        "x" * 310 + "@b.example",
        "a\u200b@b.example",
        "a@[127.0.0.1]",
        1,
        None,
    ],
)
def test_an_email_is_one_bare_address(email: object) -> None:
    assert answer("account.update", {"account": "a", "contact": {"email": email}}) == invalid("/contact/email")


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"netDays": 0}, "netDays"),
        ({"netDays": 366}, "netDays"),
        ({"netDays": "30"}, "netDays"),
        ({"netDays": True}, "netDays"),
        ({"netDays": 30.0}, "netDays"),
        ({"netDays": None}, "netDays"),
        ({"netDays": 10**4000}, "netDays"),
        ({"netDays": float("inf")}, "netDays"),
        ({"invoiceDayOfMonth": 29}, "invoiceDayOfMonth"),
        ({"invoiceFrequency": "monthly"}, "invoiceFrequency"),
        ({"currency": "EUR"}, "currency"),
    ],
)
def test_payment_terms_are_whole_numbers_in_their_bounds(terms: dict[str, Any], field: str) -> None:
    data = {"account": "a", "paymentTerms": terms}
    assert answer("account.change-payment-terms", data) == invalid(f"/paymentTerms/{field}")


@pytest.mark.parametrize(
    "number", ["4111111111111111", "4111 1111-1111 1111", "tok/378282246310005", "1 4111 1111 1111 1111"]
)
@pytest.mark.parametrize(
    ("word", "data", "path"),
    [
        ("account.create", CREATE | {"paymentProfile": PROFILE}, "/paymentProfile/externalId"),
        ("account.attach-payment-profile", {"account": "a", "paymentProfile": PROFILE}, "/paymentProfile/externalId"),
        ("account.report-payment-profile", REPORT, "/externalId"),
    ],
)
def test_the_number_of_a_card_is_refused_wherever_a_profile_is_named(
    word: str, data: Any, path: str, number: str
) -> None:
    broken = {**data, "paymentProfile": PROFILE | {"externalId": number}} if "paymentProfile" in data else data
    broken = broken | ({} if "paymentProfile" in data else {"externalId": number})
    assert answer(word, broken) == [("SENSITIVE_DATA_REFUSED", path)]


def test_everything_wrong_is_told_at_once() -> None:
    data = {
        "account": "Acme",
        "currency": "eur",
        "displayName": "\u202e",
        "paymentProfile": {"type": "card", "externalId": "4111111111111111", "validUntil": 0},
        "colour": "blue",
    }

    assert set(answer("account.create", data)) == {
        ("INVALID_DATA", "/account"),
        ("INVALID_CURRENCY", "/currency"),
        ("INVALID_DATA", "/displayName"),
        ("SENSITIVE_DATA_REFUSED", "/paymentProfile/externalId"),
        ("INVALID_DATA", "/paymentProfile/validUntil"),
        ("INVALID_DATA", "/colour"),
    }


def test_a_lone_surrogate_in_a_field_name_hides_no_other_problem() -> None:
    assert answer("project.bind", {"project": "P", "a\ud800": 1}) == invalid("/project", "/account", "/a?")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("x" * 1000, "/" + "x" * FIELD_NAME_CHARACTERS_MAX + "…"),
        ("a\r\nb\u202e", "/a??b?"),
        ("~/", "/~0~1"),
        ("4111111111111111", "/?"),
    ],
)
def test_the_name_of_an_unknown_field_is_shown_safely(name: str, path: str) -> None:
    assert answer("project.bind", BIND | {name: 1}) == invalid(path)


def test_an_answer_stays_small_however_much_is_wrong() -> None:
    problems = parse("billing.project.bind.v1", BIND | {f"field{n}": n for n in range(60_000)})

    assert isinstance(problems, list)
    assert len(problems) == PROBLEMS_MAX
    assert problems[-1] == Problem(RejectionCode.INVALID_DATA, "There are more problems than are listed here.", "")


def test_absent_and_null_are_told_apart_where_null_means_something() -> None:
    cleared, kept = (UpdateAccount.model_validate({"account": "a"} | more) for more in ({"contact": None}, {}))
    unbound, whoever = (BindProject.model_validate(BIND | more) for more in ({"expectedBinding": None}, {}))

    assert "contact" in cleared.model_fields_set
    assert "contact" not in kept.model_fields_set
    assert "expected_binding" in unbound.model_fields_set
    assert "expected_binding" not in whoever.model_fields_set


def test_a_model_refuses_contradictions_by_itself_too() -> None:
    with pytest.raises(ValueError, match="Stands in the list already"):
        MoveProjects.model_validate({"from": "a", "to": "b", "projects": ["p", "p"]})


def test_text_is_kept_in_its_composed_form_and_bindings_in_lower_case() -> None:
    named = UpdateAccount.model_validate(
        {"account": "a", "displayName": "Zu\u0308rich", "labels": {"u\u0308": "o\u0308"}}
    )
    bind = BindProject.model_validate(BIND | {"expectedBinding": BINDING.upper()})

    assert (named.display_name, named.labels) == ("Zürich", {"ü": "ö"})
    assert bind.expected_binding == BINDING


def test_a_type_is_known_or_not() -> None:
    assert is_known("billing.project.bind.v1")
    assert not is_known("billing.project.bind.v2")
