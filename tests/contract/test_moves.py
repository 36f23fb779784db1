"""Moves of an account's projects, archive, schedules: the rarer commands, without waiting."""

from typing import Any

from tests.contract.cases import (
    ACTIVATED,
    APPROVAL,
    CREATED,
    MOVED,
    NOBODY,
    Seen,
    Step,
    Then,
    Told,
    at,
    bind,
    case,
    do,
    ready,
    soon,
    suspend,
)
from tests.contract.laws import problems


def move(expect: str, from_: str = "a", to: str = "b", **data: Any) -> Step:
    return do("account.move-projects", expect, **{"from": from_, "to": to} | data)


def archive(expect: str, settled: Any = None, **data: Any) -> Step:
    settlement = {"settlement": {"reference": "S-1", "settledThrough": settled}} if settled else {}
    return do("account.archive", expect, **{"account": "a", "approval": APPROVAL} | settlement | data)


def schedule(expect: str, due: Any = "2090-01-01T00:00:00+01:00", **data: Any) -> Step:
    kind = "account.schedule-suspension"
    return do(kind, expect, **{"account": "a", "reason": "NON_PAYMENT", "dueAt": due, "message": "So."} | data)


def cancel(expect: str, reason: str = "NON_PAYMENT") -> Step:
    return do("account.cancel-suspension", expect, account="a", reason=reason)


def test_everything_that_was_written_keeps_the_form(told: Told) -> None:
    assert problems(told) == []


@case(
    ready(),
    ready("b", "USD"),
    *(bind(project) for project in ("p-2", "p10", "p", "p-10", "x", "0", "p-1")),
    move("MOVE_COUNT_MISMATCH", expectedCount=6),
    move("SAME_ACCOUNT", to="a"),
    move("ACCOUNT_NOT_FOUND", to="nobody"),
    move("ACCOUNT_NOT_FOUND", from_="nobody"),
    move(" ".join([MOVED] * 2), projects=["x", "0"], expectedCount=2),
    move(" ".join([MOVED] * 5), expectedCount=5),
)
def test_a_move_takes_all_projects_or_those_named_at_one_instant_in_the_order_of_their_bytes(seen: Seen) -> None:
    assert seen.details(9) == {"expected": 6, "actual": 7}
    result = seen.results[14]
    assert [event["subject"].rpartition("/")[2] for event in result["data"]["events"][::2]] == [
        "p",
        "p-1",
        "p-10",
        "p-2",
        "p10",
    ]
    assert [event["subject"].rpartition("/")[2] for event in seen.results[13]["data"]["events"]] == ["0", "0", "x", "x"]
    superseded, established = seen.one("superseded", "p-2"), seen.of("established", "p-2")[-1]
    assert superseded["until"] == established["since"] == result["time"]
    assert superseded["supersededBy"] == {"binding": established["binding"], "account": "b"}
    assert (established["previousAccount"], established["previousCurrency"]) == ("a", "EUR")
    assert {each["account"] for each in (seen.state(name)["payer"] for name in ("p", "x", "0", "p10"))} == {"b"}


@case(
    ready(),
    ready("b"),
    ready("c"),
    bind("p1"),
    bind("p2"),
    bind("p3", "c"),
    do("project.lock", "locked", project="p1", note="n"),
    do("project.register", "registered payer-missing", project="p4"),
    do("project.register", "registered payer-missing", project="p5"),
    do("project.delete", "project-deleted", project="p5"),
    move("MOVE_ITEMS_INELIGIBLE", projects=["p1", "p2", "p3", "p4", "p5", "p6"]),
    move("MOVE_ITEMS_INELIGIBLE"),
    move("MOVE_COUNT_MISMATCH MOVE_ITEMS_INELIGIBLE|MOVE_COUNT_MISMATCH", projects=["p2", "p3"], expectedCount=1),
    move("INVALID_DATA", projects=[]),
    move("INVALID_DATA", projects=["p2", "p2"]),
    move("INVALID_DATA", expectedCount="2"),
    move("INVALID_DATA", projects=[f"p{number}" for number in range(5001)]),
    do("account.move-projects", "INVALID_DATA", to="b"),
    move(MOVED, projects=["p2"]),
)
def test_a_move_is_all_or_nothing(seen: Seen) -> None:
    items = seen.details(10)["items"]
    assert {item["project"] for item in items} == {"p1", "p3", "p4", "p5", "p6"}
    codes = {item["project"]: item["code"] for item in items}
    assert (codes["p1"], codes["p5"]) == ("BINDING_LOCKED", "PROJECT_DELETED")
    assert seen.details(11) == {"items": [{"project": "p1", "code": "BINDING_LOCKED"}]}
    assert [seen.paths(number) for number in (13, 14, 15, 16, 17)] == [
        ["/projects"],
        seen.paths(14),
        ["/expectedCount"],
        ["/projects"],
        ["/from"],
    ]
    assert seen.state("p1")["payer"]["account"] == "a"


@case(move("INVALID_DATA", projects=["P"]), move("INVALID_DATA", projects=["p", "P"]))
def test_a_wrong_project_of_a_move_is_named_once(seen: Seen) -> None:
    assert seen.paths(0) == ["/projects/0"]
    assert seen.paths(1) == ["/projects/1"]


@case(
    ready(),
    do("account.create", CREATED, account="b", currency="EUR"),
    bind(),
    move("ACCOUNT_NOT_READY"),
    ready("c"),
    do("account.delete", "deleted", account="c"),
    move("ACCOUNT_DELETED", to="c"),
    ready("d"),
    do("account.archive", ">Archived", account="d", approval=APPROVAL),
    move("ACCOUNT_ARCHIVED", to="d"),
    move("ACCOUNT_ARCHIVED|ACCOUNT_ARCHIVED ACCOUNT_NOT_READY", from_="d"),
    suspend("hold-placed >Suspended", reason="COMPLIANCE_HOLD"),
    move("ACCOUNT_NOT_READY REBIND_BLOCKED_BY_HOLD"),
)
def test_a_move_goes_to_a_ready_account_only(seen: Seen) -> None:
    assert seen.details(3) == {"phase": "Provisioning", "holds": []}


@case(
    ready(),
    archive("APPROVAL_REQUIRED", approval=None).but(data={"account": "a"}),
    archive("APPROVER_IS_ACTOR").but(actor="lead@example.com"),
    archive("APPROVAL_REQUIRED").but(actor=None),
    archive(">Archived"),
)
def test_an_account_never_bound_is_archived_with_approval_alone(seen: Seen) -> None:
    changed = seen.of("phase-changed")[-1]
    assert (changed["from"], changed["to"], changed["reason"]) == ("Ready", "Archived", "CLOSED")
    assert (changed["activeBindings"], changed["approval"]) == (0, APPROVAL)
    assert "settlement" not in changed
    assert (seen.state("a")["phase"], seen.state("a")["phaseSince"]) == ("Archived", seen.results[4]["time"])


@case(
    ready(),
    bind(),
    archive("ACTIVE_BINDINGS", "2026-01-01T00:00:00Z"),
    Then(),
    do("project.unbind", NOBODY, project="p"),
    archive("SETTLEMENT_REQUIRED"),
    archive("SETTLEMENT_REQUIRED", at(1)),
    archive("SETTLEMENT_REQUIRED", "2090-01-01T00:00:00Z"),
    archive("INVALID_DATA", "2090-01-01"),
    Then(),
    archive(">Archived", at(3)),
)
def test_an_account_that_paid_is_archived_when_it_is_settled_through_its_last_binding(seen: Seen) -> None:
    assert seen.details(2) == {"count": 1, "sample": ["p"]}
    until = seen.one("released")["until"]
    assert seen.details(4) == {"needed": until}
    settlement = seen.of("phase-changed")[-1]["settlement"]
    assert settlement == {"reference": "S-1", "settledThrough": until}


@case(ready(), suspend("hold-placed >Suspended", reason="FRAUD_SUSPECTED"), archive(">Archived"))
def test_a_suspended_account_may_be_archived(seen: Seen) -> None:
    assert seen.phases()[-1] == ("Suspended", "Archived", "CLOSED")


@case(
    ready(),
    schedule("suspension-scheduled"),
    schedule("suspension-scheduled", "2091-01-01T00:00:00Z", message="Anew."),
    schedule("suspension-scheduled", reason="ADMINISTRATIVE"),
    schedule("NOTICE_TOO_SHORT", soon(86_000), reason="FRAUD_SUSPECTED"),
    schedule("NOTICE_TOO_SHORT", "2020-01-01T00:00:00Z", reason="FRAUD_SUSPECTED"),
    schedule("suspension-scheduled", soon(86_500), reason="FRAUD_SUSPECTED"),
    schedule("INVALID_DATA", reason="PAYMENT_PROFILE_MISSING"),
    cancel("SUSPENSION_NOT_SCHEDULED", "POLICY_VIOLATION"),
    cancel("suspension-cancelled", "ADMINISTRATIVE"),
    cancel("SUSPENSION_NOT_SCHEDULED", "ADMINISTRATIVE"),
    do("account.cancel-suspension", "INVALID_DATA", account="a"),
)
def test_a_suspension_is_scheduled_once_an_account_and_reason(seen: Seen) -> None:
    first, second, third, _ = seen.of("suspension-scheduled")
    assert (first["reason"], first["dueAt"], first["message"]) == ("NON_PAYMENT", "2089-12-31T23:00:00.000000Z", "So.")
    assert (second["dueAt"], second["message"]) == ("2091-01-01T00:00:00.000000Z", "Anew.")
    assert third["account"] == "a"
    assert seen.one("suspension-cancelled") == {"account": "a", "reason": "ADMINISTRATIVE"}
    scheduled = {each["reason"]: each["dueAt"] for each in seen.state("a")["scheduled"]}
    assert scheduled.keys() == {"NON_PAYMENT", "FRAUD_SUSPECTED"}
    assert scheduled["NON_PAYMENT"] == second["dueAt"]


@case(ready(), schedule("suspension-scheduled"), archive(">Archived|suspension-cancelled >Archived"))
def test_an_archived_account_has_no_suspension_ahead(seen: Seen) -> None:
    assert seen.state("a")["scheduled"] == []


@case(
    do(
        "account.create",
        ACTIVATED,
        account="a",
        currency="EUR",
        paymentProfile={"type": "c", "externalId": "x", "status": "Valid"},
    ),
    ready("b"),
    *(bind(f"p-{number:03}") for number in range(120)),
    move("*"),
)
def test_a_result_lists_the_first_100_events_and_counts_all(seen: Seen) -> None:
    data = seen.results[-1]["data"]
    assert (data["eventCount"], len(data["events"])) == (240, 100)
