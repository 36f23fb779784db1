"""Bindings: who pays, since when; rebind, unbind, locks, registration and deletion of projects."""

from typing import Any

from tests.contract.cases import (
    BOUND,
    CREATED,
    MOVED,
    NOBODY,
    Seen,
    Step,
    Then,
    Told,
    bind,
    case,
    do,
    ready,
    suspend,
)
from tests.contract.laws import problems

NOT_IT = "00000000-0000-5000-8000-000000000000"
DELETED = "released project-deleted|project-deleted released"


def unbind(expect: str = NOBODY, project: str = "p", **data: Any) -> Step:
    return do("project.unbind", expect, project=project, **data)


def lock(expect: str = "locked", project: str = "p", note: str = "n") -> Step:
    return do("project.lock", expect, project=project, note=note)


def unlock(expect: str = "unlocked", project: str = "p", note: str = "n") -> Step:
    return do("project.unlock", expect, project=project, note=note)


def delete(expect: str, project: str = "p") -> Step:
    return do("project.delete", expect, project=project)


def register(expect: str, project: str = "p") -> Step:
    return do("project.register", expect, project=project)


def present(seen: Seen) -> str:
    """The binding that is open after the first round."""
    binding: str = seen.state("p")["payer"]["binding"]
    return binding


def test_everything_that_was_written_keeps_the_form(told: Told) -> None:
    assert problems(told) == []


@case(
    ready(),
    ready("b", "USD"),
    bind(),
    bind(expect=""),
    bind(expect="", onExisting="reject"),
    bind(account="b", expect=MOVED),
    unbind(),
    unbind("PROJECT_NOT_BOUND"),
    bind(expect="established"),
    bind("q", "b", expect=BOUND, onExisting="reject", expectedBinding=None),
)
def test_each_rebind_ends_the_old_binding_at_the_instant_at_which_the_new_one_begins(seen: Seen) -> None:
    first, second, third = seen.of("binding.established", "p")
    (superseded,) = seen.of("binding.superseded")
    released = seen.one("binding.released")
    times = [result["time"] for result in seen.results]
    assert "supersedes" not in first
    assert "previousAccount" not in first
    assert (first["project"], first["account"], first["since"]) == ("p", "a", times[2])
    assert (first["currency"], first["accountSequence"]) == ("EUR", 3)
    assert (second["supersedes"], second["previousAccount"]) == (first["binding"], "a")
    assert (second["currency"], second["previousCurrency"], second["since"]) == ("USD", "EUR", times[5])
    assert superseded == {
        "binding": first["binding"],
        "project": "p",
        "account": "a",
        "since": first["since"],
        "until": second["since"],
        "supersededBy": {"binding": second["binding"], "account": "b"},
        "currency": "EUR",
    }
    assert released == {
        "binding": second["binding"],
        "project": "p",
        "account": "b",
        "since": times[5],
        "until": times[6],
        "reason": "UNBOUND",
        "currency": "USD",
    }
    missing = seen.one("payer-missing")
    assert missing["since"] == times[6]
    assert len({first["binding"], second["binding"], third["binding"]}) == 3
    assert "supersedes" not in third
    state = seen.state("p")
    assert state["payer"] == {"binding": third["binding"], "account": "a", "since": times[8], "currency": "EUR"}
    assert [(each["account"], each["since"], each["until"], each["reason"]) for each in state["timeline"]] == [
        ("a", times[2], times[5], "SUPERSEDED"),
        ("b", times[5], times[6], "UNBOUND"),
        ("a", times[8], None, None),
    ]


@case(
    ready(),
    ready("b"),
    do("account.create", CREATED, account="new", currency="EUR"),
    bind(),
    Then(),
    bind(account="b", expect="BINDING_CHANGED", expectedBinding=NOT_IT),
    bind(account="b", expect="BINDING_CHANGED", expectedBinding=None),
    bind(account="b", expect="PROJECT_ALREADY_BOUND", onExisting="reject"),
    bind(account="b", expect="BINDING_CHANGED PROJECT_ALREADY_BOUND", onExisting="reject", expectedBinding=None),
    bind(
        account="new",
        expect="ACCOUNT_NOT_READY BINDING_CHANGED PROJECT_ALREADY_BOUND VERSION_CONFLICT",
        onExisting="reject",
        expectedBinding=None,
    ).but(expectedversion=9),
    bind(account="nobody", expect="ACCOUNT_NOT_FOUND BINDING_CHANGED", expectedBinding=None),
    bind("q", expect="BINDING_CHANGED", expectedBinding=NOT_IT),
    unbind("BINDING_CHANGED", expectedBinding=NOT_IT),
    unbind("BINDING_CHANGED", expectedBinding=None),
    bind(account="b", expect=MOVED, expectedBinding=present),
    bind(account="a", expect="BINDING_CHANGED", expectedBinding=present),
    bind("q", expectedBinding=None),
    Then(),
    unbind(expectedBinding=present),
    unbind("PROJECT_NOT_BOUND|BINDING_CHANGED PROJECT_NOT_BOUND", expectedBinding=NOT_IT),
    bind(expect="established", expectedBinding=None),
)
def test_what_was_decided_on_old_knowledge_is_refused_with_every_reason(seen: Seen) -> None:
    details = next(each["details"] for each in seen.reasons(8) if each["code"] == "ACCOUNT_NOT_READY")
    assert details == {"phase": "Provisioning", "holds": []}


@case(unbind("PROJECT_NOT_BOUND"), lock("PROJECT_NOT_BOUND"), unlock("PROJECT_NOT_BOUND"))
def test_a_project_that_nobody_knows_is_not_bound(seen: Seen) -> None:
    assert seen.events == []


@case(
    ready(),
    ready("b"),
    bind(),
    lock(note="Why."),
    lock("", note="Why."),
    lock("", note="Other words."),
    bind(expect=""),
    bind(expect="", onExisting="reject"),
    bind(account="b", expect="BINDING_LOCKED"),
    bind(account="b", expect="BINDING_LOCKED PROJECT_ALREADY_BOUND", onExisting="reject"),
    unbind("BINDING_LOCKED"),
    do("account.move-projects", "MOVE_ITEMS_INELIGIBLE", from_="a", to="b", projects=["p"]),
    suspend("hold-placed >Suspended"),
    Then(),
    do("account.reactivate", "hold-released >Ready", account="a", all=True, approval={"by": "x", "reference": "y"}),
    unlock(note="Over."),
    bind(account="b", expect=MOVED),
    lock(),
    delete(DELETED),
)
def test_a_locked_binding_stays(seen: Seen) -> None:
    first = seen.of("established")[0]["binding"]
    assert seen.of("binding.locked")[0] == {"binding": first, "project": "p", "account": "a", "note": "Why."}
    assert seen.of("binding.unlocked") == [{"binding": first, "project": "p", "account": "a", "note": "Over."}]
    assert seen.details(11) == {"items": [{"project": "p", "code": "BINDING_LOCKED"}]}
    assert seen.state("p")["locked"] is False


@case(ready(), bind(), lock(), Then(), suspend("hold-placed >Suspended"))
def test_the_compacted_record_says_that_a_payer_is_locked(seen: Seen) -> None:
    assert seen.state("p")["locked"] is True
    assert seen.state("p")["payer"]["account"] == "a"


@case(
    register("registered payer-missing"),
    register(""),
    ready(),
    bind(expect="established"),
    register(""),
    bind("q"),
    register("", "q"),
    delete("project-deleted|registered project-deleted", "unknown"),
    delete("", "unknown"),
    unbind(),
    register(""),
    delete("project-deleted"),
)
def test_registering_what_is_known_changes_nothing(seen: Seen) -> None:
    missing = seen.of("payer-missing", "p")
    assert [each["since"] for each in missing] == [seen.results[0]["time"], seen.results[9]["time"]]
    assert seen.of("project.registered", "p") == [{"project": "p"}]
    assert seen.of("project.deleted", "unknown") == [{"project": "unknown"}]
    state = seen.state("unknown")
    assert (state["payer"], state["timeline"], state["deletedAt"]) == (None, [], seen.results[7]["time"])


@case(
    ready(),
    bind(),
    delete(DELETED),
    delete(""),
    bind(expect="PROJECT_DELETED"),
    bind(account="nobody", expect="ACCOUNT_NOT_FOUND PROJECT_DELETED"),
    unbind("PROJECT_DELETED"),
    lock("PROJECT_DELETED"),
    unlock("PROJECT_DELETED"),
    register("PROJECT_DELETED"),
    do("account.delete", "deleted", account="a"),
)
def test_deletion_of_a_project_ends_its_binding_and_is_final(seen: Seen) -> None:
    released = seen.one("binding.released")
    assert (released["reason"], released["until"]) == ("PROJECT_DELETED", seen.results[2]["time"])
    assert seen.of("payer-missing") == []
    assert [each["reason"] for each in seen.state("p")["timeline"]] == ["PROJECT_DELETED"]
    assert seen.one("account.deleted")["lastBindingUntil"] == released["until"]


@case(ready(), ready("b"), *(bind(account="ab"[turn % 2], expect="*") for turn in range(203)))
def test_the_timeline_has_the_open_and_the_last_200_closed_bindings(seen: Seen) -> None:
    state = seen.state("p")
    closed = [each for each in state["timeline"] if each["until"] is not None]
    assert (len(closed), len(state["timeline"])) == (200, 201)
    assert [each["until"] for each in closed] == [each["since"] for each in state["timeline"][1:]]
    assert state["timelineSince"] is not None
    assert state["timelineSince"] <= closed[0]["since"]
    assert state["payer"]["since"] == seen.results[-1]["time"]


@case(
    bind(account="", expect="INVALID_DATA"),
    bind(project="A", expect="INVALID_DATA"),
    bind(project="A", account="B", expect="INVALID_DATA INVALID_DATA", onExisting="reject"),
    bind(expect="INVALID_DATA", onExisting="replace"),
    bind(expect="INVALID_DATA", onExisting=None),
    bind(expect="INVALID_DATA", more=1),
    do("project.bind", "INVALID_DATA INVALID_DATA"),
    lock("INVALID_DATA", note="x" * 1025),
    do("project.lock", "INVALID_DATA", project="p"),
)
def test_wrong_data_of_projects_is_named_by_its_pointer(seen: Seen) -> None:
    expected = [["/account"], ["/project"], ["/account", "/project"], ["/onExisting"], ["/onExisting"], ["/more"]]
    expected += [["/account", "/project"], ["/note"], ["/note"]]
    assert [seen.paths(number) for number in range(9)] == expected
