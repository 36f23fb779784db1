"""Each thing that may be wrong with a command, and the place that the answer names."""

from typing import Any

import pytest

from schemas.commands import Command, parse

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
    ("word", "data", "problems"),
    [
        ("account.create", {}, invalid("/account", "/currency")),
        ("account.create", CREATE | {"displayName": None}, invalid("/displayName")),
        ("account.create", CREATE | {"contact": None, "labels": None}, invalid("/contact", "/labels")),
        ("account.create", CREATE | {"contact": {"name": "x"}}, invalid("/contact/email")),
        ("account.create", CREATE | {"contact": {"email": "a@b.example", "name": None}}, invalid("/contact/name")),
        (
            "account.create",
            CREATE | {"paymentProfile": PROFILE | {"status": "Invalid"}},
            invalid("/paymentProfile/status"),
        ),
        ("account.create", CREATE | {"labels": {f"{n}": "" for n in range(65)}}, invalid("/labels")),
        ("account.create", CREATE | {"labels": {"k" * 64: ""}}, invalid("/labels")),
        ("account.create", CREATE | {"labels": {"": ""}}, invalid("/labels")),
        ("account.create", CREATE | {"labels": {"k": "v" * 257}}, invalid("/labels/k")),
        ("account.create", CREATE | {"labels": {"a/b~": 1}}, invalid("/labels/a~1b~0")),
        ("account.create", CREATE | {"labels": {"e\u0301": "1", "é": "2"}}, invalid("/labels")),
        ("account.update", {"account": None}, invalid("/account")),
        ("account.suspend", SUSPEND | {"reason": "PAYMENT_PROFILE_INVALID"}, invalid("/reason")),
        ("account.suspend", SUSPEND | {"reason": "non_payment"}, invalid("/reason")),
        ("account.suspend", SUSPEND | {"reason": {}}, invalid("/reason")),
        ("account.suspend", SUSPEND | {"blocksRebind": 1}, invalid("/blocksRebind")),
        ("account.suspend", SUSPEND | {"message": "m" * 1025}, invalid("/message")),
        ("account.suspend", SUSPEND | {"approval": APPROVAL}, invalid("/approval")),
        ("account.schedule-suspension", SCHEDULE | {"reason": "PAYMENT_PROFILE_EXPIRED"}, invalid("/reason")),
        ("account.reactivate", {"account": "a"}, invalid("/reason")),
        ("account.reactivate", {"account": "A"}, invalid("/account", "/reason")),
        ("account.reactivate", {"account": "a", "reason": "NON_PAYMENT", "hold": "h"}, invalid("/hold")),
        ("account.reactivate", {"account": "a", "hold": "h", "all": True}, invalid("/all")),
        ("account.reactivate", {"account": "a", "all": False}, invalid("/all")),
        ("account.reactivate", {"account": "a", "all": 1}, invalid("/all")),
        ("account.reactivate", {"account": "a", "all": True, "approval": {"by": "x"}}, invalid("/approval/reference")),
        ("account.reactivate", {"account": "a", "all": True, "approval": None}, invalid("/approval")),
        (
            "account.archive",
            ARCHIVE | {"approval": {"by": "", "reference": "r" * 1025}},
            invalid("/approval/by", "/approval/reference"),
        ),
        ("account.archive", ARCHIVE | {"settlement": {"reference": "r"}}, invalid("/settlement/settledThrough")),
        ("account.report-payment-profile", REPORT | {"status": "Pending"}, invalid("/status")),
        ("account.report-payment-profile", REPORT | {"status": "Valid", "cause": "Expired"}, invalid("/cause")),
        ("account.report-payment-profile", REPORT | {"cause": "expired"}, invalid("/cause")),
        ("account.report-payment-profile", REPORT | {"cause": None}, invalid("/cause")),
        ("project.bind", BIND | {"onExisting": "Reject"}, invalid("/onExisting")),
        ("project.bind", BIND | {"onExisting": None}, invalid("/onExisting")),
        ("project.bind", BIND | {"expectedBinding": 1}, invalid("/expectedBinding")),
        ("project.bind", BIND | {"expected_binding": None}, invalid("/expected_binding")),
        ("project.lock", {"project": "p"}, invalid("/note")),
        ("account.move-projects", {"from": "a", "to": "b", "projects": []}, invalid("/projects")),
        ("account.move-projects", {"from": "a", "to": "b", "projects": ["p"] * 5001}, invalid("/projects")),
        ("account.move-projects", {"from": "a", "to": "b", "projects": None}, invalid("/projects")),
        ("account.move-projects", {"from": "a", "to": "b", "projects": {"p": 1}}, invalid("/projects")),
        ("account.move-projects", {"from": "a", "to": "b", "projects": ["p", "q", "p"]}, invalid("/projects/2")),
        (
            "account.move-projects",
            {"from": "a", "to": "b", "projects": ["p", "Q", 3]},
            invalid("/projects/1", "/projects/2"),
        ),
        ("account.move-projects", {"from": "a", "to": "b", "expectedCount": -1}, invalid("/expectedCount")),
        ("account.move-projects", {"from_": "a", "to": "b"}, invalid("/from", "/from_")),
        ("lane.tick", {"now": True}, invalid("/now")),
    ],
)
def test_each_thing_wrong_is_told_with_its_place(word: str, data: Any, problems: list[tuple[str, str]]) -> None:
    assert answer(word, data) == problems


@pytest.mark.parametrize("binding", ["", "other", f"urn:uuid:{BINDING}"])
def test_an_expected_binding_may_be_any_word_for_what_is_no_binding_is_another_binding(binding: str) -> None:
    assert answer("project.bind", BIND | {"expectedBinding": binding}) == []


def test_of_a_list_with_a_wrong_entry_only_the_entry_is_told() -> None:
    move = {"from": "main", "to": "other", "projects": ["P"]}

    assert answer("account.move-projects", move) == [("INVALID_DATA", "/projects/0")]
