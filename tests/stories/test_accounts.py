"""What the README and the contract promise of accounts and of commands."""

import json
from datetime import UTC, datetime
from typing import Any

from tests.stories.conftest import World
from tests.system.deployment import HEADERS, command, ready_account
from worker.broker import clients

VALID = {"type": "card", "externalId": "pm-1", "status": "Valid"}


def codes(result: dict[str, Any]) -> list[str]:
    return [reason["code"] for reason in result["data"].get("reasons", [])]


def phases(events: list[dict[str, Any]]) -> list[tuple[str | None, str, str]]:
    found = [event["data"] for event in events if event["type"] == "billing.account.phase-changed.v1"]
    return [(data["from"], data["to"], data["reason"]) for data in found]


async def test_an_account_becomes_ready_when_a_valid_payment_profile_serves_and_only_then_can_be_bound(
    world: World,
) -> None:
    results = await world.tell(
        "becomes-ready",
        command("becomes-ready", "account.create", "1", account="main", currency="EUR"),
        command("becomes-ready", "project.bind", "2", project="web", account="main"),
        command("becomes-ready", "account.attach-payment-profile", "3", account="main", paymentProfile=VALID),
        command("becomes-ready", "project.bind", "4", project="web", account="main"),
    )

    assert [codes(result) for result in results] == [[], ["ACCOUNT_NOT_READY"], [], []]
    assert results[1]["data"]["reasons"][0]["details"] == {"phase": "Provisioning", "holds": []}
    assert phases(await world.events("becomes-ready")) == [
        (None, "Provisioning", "CREATED"),
        ("Provisioning", "Ready", "ACTIVATED"),
    ]


async def test_a_valid_profile_at_creation_makes_the_account_ready_at_once(world: World) -> None:
    (result,) = await world.tell("at-once", ready_account("at-once", "main"))

    events = await world.events("at-once")
    assert [event["type"].split(".")[2] for event in events] == ["created", "phase-changed", "phase-changed"]
    assert phases(events) == [(None, "Provisioning", "CREATED"), ("Provisioning", "Ready", "ACTIVATED")]
    assert {event["time"] for event in events} == {result["time"]}
    assert [event["sequence"] for event in events] == [1, 2, 3]


async def test_an_account_is_suspended_while_any_hold_lies_on_it_and_its_bindings_stay(world: World) -> None:
    approval = {"by": "boss@example.com", "reference": "T-1"}
    results = await world.tell(
        "held",
        ready_account("held", "main"),
        command("held", "project.bind", "bind", project="web", account="main"),
        command("held", "account.suspend", "s1", account="main", reason="NON_PAYMENT", message="Late."),
        command("held", "account.suspend", "s2", account="main", reason="FRAUD_SUSPECTED", message="Odd."),
        command("held", "project.bind", "more", project="more", account="main"),
        command("held", "account.reactivate", "r1", account="main", reason="NON_PAYMENT", approval=approval),
        command("held", "project.bind", "more-again", project="more", account="main"),
        command("held", "account.reactivate", "r2", account="main", reason="FRAUD_SUSPECTED", approval=approval),
        command("held", "project.bind", "at-last", project="more", account="main"),
    )

    refused = ["ACCOUNT_NOT_READY"]
    assert [codes(result) for result in results] == [[], [], [], [], refused, [], refused, [], []]
    assert phases(await world.events("held"))[2:] == [
        ("Ready", "Suspended", "NON_PAYMENT"),
        ("Suspended", "Ready", "REACTIVATED"),
    ]
    assert await world.events("held", "binding.released", "binding.superseded") == []
    assert (await world.newest("payers", "held/web"))["payer"]["account"] == "main"


async def test_an_account_with_active_bindings_cannot_be_deleted_and_its_id_is_never_used_twice(
    world: World,
) -> None:
    results = await world.tell(
        "deleted",
        ready_account("deleted", "main"),
        command("deleted", "project.bind", "bind", project="web", account="main"),
        command("deleted", "account.delete", "too-early", account="main"),
        command("deleted", "project.unbind", "unbind", project="web"),
        command("deleted", "account.delete", "delete", account="main"),
        command("deleted", "account.create", "again", account="main", currency="EUR"),
        command("deleted", "account.update", "update", account="main", displayName="Gone"),
    )

    assert [codes(result) for result in results[2:]] == [
        ["ACTIVE_BINDINGS"],
        [],
        [],
        ["ACCOUNT_ALREADY_EXISTS"],
        ["ACCOUNT_DELETED"],
    ]
    assert results[2]["data"]["reasons"][0]["details"] == {"count": 1, "sample": ["web"]}
    assert (await world.newest("accounts", "deleted/main"))["deletedAt"] == results[4]["time"]


async def test_a_rejection_tells_every_reason_each_with_a_code_and_for_data_a_pointer(world: World) -> None:
    bad_data, bad_rules = (
        await world.tell(
            "reasons",
            ready_account("reasons", "main"),
            ready_account("reasons", "other"),
            command("reasons", "project.bind", "bind", project="web", account="main"),
            command("reasons", "account.suspend", "held", account="other", reason="ADMINISTRATIVE", message="So."),
            command("reasons", "account.create", "bad", account="A B", currency="eur", labels={"x": 1}),
            command(
                "reasons",
                "project.bind",
                "rules",
                project="web",
                account="other",
                onExisting="reject",
                expectedBinding=None,
            ),
        )
    )[-2:]

    found = [(reason["code"], reason["details"]["path"]) for reason in bad_data["data"]["reasons"]]
    assert found == [("INVALID_DATA", "/account"), ("INVALID_CURRENCY", "/currency"), ("INVALID_DATA", "/labels/x")]
    assert sorted(codes(bad_rules)) == ["ACCOUNT_NOT_READY", "BINDING_CHANGED", "PROJECT_ALREADY_BOUND"]
    assert all(reason["message"] for reason in bad_rules["data"]["reasons"])


async def test_the_same_command_again_gets_the_same_answer_again_and_nothing_else_happens(world: World) -> None:
    first = await world.tell("again", ready_account("again", "main"))
    before = await world.events("again")

    (again,) = await world.tell("again", ready_account("again", "main"))

    assert again["data"] == first[0]["data"] | {"duplicate": True}
    assert await world.events("again") == before


async def test_a_dry_run_says_what_the_command_would_do_and_then_it_does_so(world: World) -> None:
    bind = json.loads(command("dry", "project.bind", "bind", project="web", account="main"))
    dry, wet = (
        await world.tell(
            "dry", ready_account("dry", "main"), json.dumps(bind | {"dryrun": True}).encode(), json.dumps(bind).encode()
        )
    )[1:]

    assert dry["type"] == "billing.command.evaluated.v1"
    assert dry["data"]["wouldAccept"]
    announced = [(event["type"], event["subject"], event["sequence"]) for event in dry["data"]["events"]]
    assert announced == [(event["type"], event["subject"], event["sequence"]) for event in wet["data"]["events"]]
    assert not wet["data"]["duplicate"]


async def test_what_was_decided_on_old_knowledge_is_refused(world: World) -> None:
    bind = json.loads(command("old", "project.bind", "late", project="web", account="main"))
    results = await world.tell(
        "old",
        ready_account("old", "main"),
        json.dumps(bind | {"id": "stale", "expectedversion": 1}).encode(),
        json.dumps(bind | {"id": "fresh", "expectedversion": 3}).encode(),
        command("old", "project.unbind", "stale-too", project="web", expectedBinding=None),
    )

    assert results[0]["data"]["version"] == 3
    assert [codes(result) for result in results[1:]] == [["VERSION_CONFLICT"], [], ["BINDING_CHANGED"]]


async def test_publishers_cannot_back_date(world: World) -> None:
    settings = world.deployment.settings
    document = json.loads(ready_account("past", "main")) | {"time": "2001-01-01T00:00:00Z"}
    began = datetime.now(UTC)
    async with clients.producer(settings.kafka) as producer:
        value = json.dumps(document).encode()
        await producer.send_and_wait(settings.topics.commands, value, b"past", timestamp_ms=1_000_000, headers=HEADERS)
    world.deployment.sent += 1
    world.told["past"] += 1

    (_, later) = await world.tell("past", ready_account("past", "main"), ready_account("past", "other"))

    first, *_ = await world.messages("command_results", "past")
    assert abs((datetime.fromisoformat(first["time"]) - began).total_seconds()) < 30
    assert first["time"] < later["time"]


async def test_an_event_can_be_filtered_by_its_headers_and_tells_where_it_comes_from(world: World) -> None:
    (result,) = await world.tell("origin", ready_account("origin", "main"))
    records = [record for record in await world.deployment.read("account_events") if record.key == b"origin/main"]

    for index, record in enumerate(records):
        event, headers = json.loads(record.value), dict(record.headers)
        assert headers["content-type"] == b"application/cloudevents+json"
        assert {name: headers[f"ce_{name}"].decode() for name in ("id", "type", "subject")}.items() <= event.items()
        assert event["causationid"] == event["correlationid"] == "create-main"
        assert event["commandposition"] == f"{result['commandposition'].rpartition('/')[0]}/{index}"
        assert event["actor"] == "ops@example.com"
    assert [json.loads(record.value)["id"] for record in records] == [each["id"] for each in result["data"]["events"]]
