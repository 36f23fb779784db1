"""Ids used once, dry runs, what a result looks like, and who caused what."""

from typing import Any

from tests.contract.cases import (
    ACTIVATED,
    BOUND,
    CREATED,
    VALID,
    Seen,
    Step,
    Then,
    Told,
    bind,
    case,
    do,
    ready,
)
from tests.contract.laws import problems

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def create(expect: str, account: str = "a", **data: Any) -> Step:
    return do("account.create", expect, account=account, currency="EUR", paymentProfile=VALID, **data)


def test_everything_that_was_written_keeps_the_form(told: Told) -> None:
    assert problems(told) == []


@case(
    create(ACTIVATED).but(id="1"),
    create(f"again: {ACTIVATED}").but(id="1"),
    do("account.create", f"again: {ACTIVATED}", paymentProfile=VALID, currency="EUR", account="a").but(
        id="1", source="other", time="2001-01-01T00:00:00Z", traceparent=TRACE, correlationid="c", subject="s"
    ),
    create("COMMAND_ID_REUSED", "b").but(id="1"),
    create("COMMAND_ID_REUSED").but(id="1", actor="else@example.com"),
    create("COMMAND_ID_REUSED").but(id="1", actor=None),
    create("COMMAND_ID_REUSED").but(id="1", expectedversion=0),
    do("account.delete", "COMMAND_ID_REUSED", account="a").but(id="1"),
    create(f"again: {ACTIVATED}").but(id="1"),
    do("account.update", "updated", account="a", displayName="A").but(id="2"),
    create(f"again: {ACTIVATED}").but(id="1"),
)
def test_the_same_id_with_the_same_content_gets_the_first_answer_again(seen: Seen) -> None:
    first = seen.results[0]["data"]
    assert first["duplicate"] is False
    for number in (1, 2, 8, 10):
        assert seen.results[number]["data"] == first | {"duplicate": True}
    assert seen.state("a")["sequence"] == 4
    assert [seen.results[number]["data"]["duplicate"] for number in (3, 4, 5, 6)] == [False] * 4


@case(
    do("account.update", "ACCOUNT_NOT_FOUND", account="a", displayName="A").but(id="1"),
    do("account.update", "INVALID_DATA", account="a", displayName=1).but(id="2"),
    create(ACTIVATED).but(id="3"),
    do("account.update", "again: ACCOUNT_NOT_FOUND", account="a", displayName="A").but(id="1"),
    do("account.update", "again: INVALID_DATA", account="a", displayName=1).but(id="2"),
    do("account.update", "COMMAND_ID_REUSED", account="a", displayName="B").but(id="1"),
    do("account.update", "COMMAND_ID_REUSED", account="a", displayName="B").but(id="2"),
    do("account.update", "updated", account="a", displayName="B").but(id="4"),
)
def test_a_rejection_uses_the_id_up_too(seen: Seen) -> None:
    assert seen.results[3]["data"] == seen.results[0]["data"] | {"duplicate": True}
    assert seen.results[4]["data"] == seen.results[1]["data"] | {"duplicate": True}


@case(
    do("account.explode", "UNKNOWN_COMMAND", account="a").but(id="1"),
    create("COMMAND_ID_REUSED").but(id="1"),
    create(ACTIVATED).but(id="2"),
    do("billing.account.create.v2", "UNKNOWN_COMMAND", account="a"),
    do("account.explode", "UNKNOWN_COMMAND", bad=None).but(id="2"),
    do("billing.account.created.v1", "UNKNOWN_COMMAND"),
    do("com.example.something", "UNKNOWN_COMMAND").but(type="com.example.something"),
)
def test_an_unknown_command_uses_its_id_up(seen: Seen) -> None:
    assert seen.results[0]["data"]["type"] == "billing.account.explode.v1"


@case(create(ACTIVATED).but(id="1"), Then(), do("account.update", "updated", account="a", displayName="x").but(id="2"))
def test_ids_are_the_organizations_own_here(seen: Seen) -> None:
    assert seen.results[0]["data"]["command"] == "1"


@case(create(ACTIVATED, "b").but(id="1"), create(ACTIVATED, "c").but(id="2"))
def test_ids_are_the_organizations_own_there(seen: Seen) -> None:
    assert {event["organization"] for event in seen.events} == {seen.organization}


@case(
    create(f"dry: {ACTIVATED}").but(id="1", dryrun=True),
    do("account.update", "dry: ACCOUNT_NOT_FOUND", account="a").but(id="1", dryrun=True),
    create(ACTIVATED).but(id="1", dryrun=False),
    create("dry: ACCOUNT_ALREADY_EXISTS").but(id="1", dryrun=True),
    do("account.update", "dry: updated", account="a", displayName="x").but(id="1", dryrun=True),
    bind(expect=f"dry: {BOUND}").but(dryrun=True),
    bind(expect="dry: ACCOUNT_NOT_FOUND", account="b").but(dryrun=True),
    bind(expect="dry: INVALID_DATA", account="B").but(dryrun=True),
    bind().but(id="bind"),
    bind(expect="dry:").but(dryrun=True),
    bind(expect="INVALID_DATA").but(dryrun="yes"),
    bind(expect="INVALID_DATA").but(expectedversion="3"),
    bind(expect="INVALID_DATA").but(data_base64="e30="),
    bind(expect="INVALID_DATA").but(datacontenttype="text/xml"),
    bind(expect="").but(datacontenttype="application/json"),
)
def test_a_dry_run_says_what_would_happen_and_stores_nothing(seen: Seen) -> None:
    evaluated = seen.results[0]["data"]
    assert (evaluated["wouldAccept"], evaluated["eventCount"], evaluated["reasons"]) == (True, 3, [])
    for announced, event in zip(evaluated["events"], seen.results[2]["data"]["events"], strict=True):
        names = {"type", "subject", "sequence"}
        assert {name: announced[name] for name in names} == {name: event[name] for name in names}
        assert announced.keys() == {"id", "type", "subject", "sequence", "data"}
    assert [seen.results[number]["data"]["wouldAccept"] for number in (1, 3, 4, 5)] == [False, False, True, True]
    assert seen.reasons(6)[0]["code"] == "ACCOUNT_NOT_FOUND"
    assert len(seen.of("established")) == 1
    established = seen.results[5]["data"]["events"][1]["data"]
    assert established["since"] == seen.results[5]["time"]
    assert (established["project"], established["account"], established["currency"]) == ("p", "a", "EUR")


@case(
    create(ACTIVATED).but(correlationid="flow", traceparent=TRACE, tracestate="v=1", time="nonsense", extra="x"),
    do("account.update", "updated", account="a", displayName="1").but(traceparent="00-bad", actor=None),
    do("account.update", "updated", account="a", displayName="2").but(id="A.b_c:d-9", subject="x"),
)
def test_outgoing_messages_tell_where_they_come_from(seen: Seen) -> None:
    for message in (*(event for event in seen.events if event["causationid"] == "0"), seen.results[0]):
        assert (message["correlationid"], message["causationid"]) == ("flow", "0")
        assert message["traceparent"] == TRACE
        assert message["time"] == seen.results[0]["time"]
    last = seen.events[-1]
    assert (last["causationid"], last["correlationid"]) == ("A.b_c:d-9", "A.b_c:d-9")
    assert seen.results[2]["subject"] == f"commands/{seen.organization}/A.b_c:d-9"
    position = seen.results[0]["commandposition"].rpartition("/")[0]
    mine = [event["commandposition"] for event in seen.events if event["causationid"] == "0"]
    assert mine == [f"{position}/{index}" for index in range(3)]
    assert len({message["source"] for message in (*seen.events, *seen.results)}) == 1
    assert seen.events[3].get("actor") is None


@case(
    do("account.create", CREATED, account="a", currency="EUR").but(actor="x" * 200),
    do("account.update", "INVALID_DATA INVALID_DATA INVALID_DATA", account="A", displayName=7, more=1),
    do("account.update", "INVALID_DATA").but(data=[]),
    do("account.update", "INVALID_DATA").but(data="x"),
    Step("account.update", "INVALID_DATA", None),
    do("account.update", "INVALID_DATA INVALID_DATA", account="A").but(expectedversion=True),
    ready("b").but(type="billing.account.create.v1"),
)
def test_everything_wrong_with_the_data_is_said_each_with_its_pointer(seen: Seen) -> None:
    assert seen.paths(1) == ["/account", "/displayName", "/more"]
    assert seen.results[0]["data"].keys() == {"command", "type", "events", "eventCount", "version", "duplicate"}
    assert seen.results[1]["data"].keys() == {"command", "type", "reasons", "duplicate"}
    assert all(reason["message"] for reason in seen.reasons(1))
