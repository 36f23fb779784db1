"""Who pays for this project? One answer, now and at any past instant."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from aiokafka.admin import NewPartitions
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from schemas.instants import format_instant
from tests.stories.conftest import World
from tests.system.checker import check
from tests.system.deployment import Deployment, command, ready_account
from worker.broker import clients
from worker.wire.partitions import partition_of

INTERVALS = ("binding.established", "binding.superseded", "binding.released")


def bind(organization: str, id_: str, account: str, project: str = "web") -> bytes:
    return command(organization, "project.bind", id_, project=project, account=account)


async def test_binding_anew_supersedes_the_old_binding_and_the_intervals_meet_to_the_letter(world: World) -> None:
    *_, result = await world.tell(
        "anew",
        ready_account("anew", "one"),
        ready_account("anew", "two"),
        bind("anew", "1", "one"),
        bind("anew", "2", "two"),
    )

    first, superseded, established = await world.events("anew", *INTERVALS)
    assert superseded["type"] == "billing.binding.superseded.v1"
    assert superseded["data"]["until"] == established["data"]["since"] == result["time"]
    assert superseded["data"]["since"] == first["data"]["since"]
    assert superseded["data"]["supersededBy"] == {"binding": established["data"]["binding"], "account": "two"}
    assert established["data"]["supersedes"] == first["data"]["binding"] == superseded["data"]["binding"]
    assert established["data"]["previousAccount"] == "one"
    assert established["sequence"] == superseded["sequence"] + 1


async def test_a_project_has_exactly_one_payer_at_a_time(world: World) -> None:
    accounts = ["one", "two", "three"]
    projects = [f"p-{number}" for number in range(5)]
    await world.tell(
        "single",
        *(ready_account("single", account) for account in accounts),
        *(
            bind("single", f"{turn}-{project}", accounts[turn % 3], project)
            for turn in range(7)
            for project in projects
        ),
        command("single", "project.unbind", "unbind", project="p-0"),
    )

    open_bindings = await world.deployment.rows(
        "SELECT project, count(*) FROM bindings WHERE organization = 'single' AND until = 'infinity' GROUP BY project"
    )
    assert {(row[0], row[1]) for row in open_bindings} == {(project, 1) for project in projects[1:]}
    for project in projects:
        events = [event for event in await world.events("single", *INTERVALS) if event["data"]["project"] == project]
        intervals = [event["data"] for event in events if "until" in event["data"]]
        assert len(intervals) == (7 if project == "p-0" else 6)
        assert all(earlier["until"] == later["since"] for earlier, later in pairwise(intervals))


async def test_an_interval_holds_its_beginning_and_not_its_end(world: World) -> None:
    await world.tell(
        "half-open",
        ready_account("half-open", "one"),
        ready_account("half-open", "two"),
        bind("half-open", "1", "one"),
        bind("half-open", "2", "two"),
    )
    first, _, second = await world.events("half-open", *INTERVALS)
    microsecond = timedelta(microseconds=1)

    async def payer(event: dict[str, Any], offset: timedelta) -> str | None:
        at = format_instant(datetime.fromisoformat(event["data"]["since"]) + offset)
        account: str | None = (await world.program("payer", "half-open", "web", "--at", at))["account"]
        return account

    assert await payer(first, -microsecond) is None
    assert await payer(first, timedelta(0)) == "one"
    assert await payer(second, -microsecond) == "one"
    assert await payer(second, timedelta(0)) == "two"


async def test_an_answer_for_an_instant_before_the_horizon_is_final_and_never_changes(world: World) -> None:
    _, bound = await world.tell("final", ready_account("final", "one"), bind("final", "1", "one"))
    answer = await world.program("payer", "final", "web", "--at", bound["time"])

    await world.tell(
        "final",
        ready_account("final", "two"),
        bind("final", "2", "two"),
        command("final", "project.unbind", "3", project="web"),
    )
    again = await world.program("payer", "final", "web", "--at", bound["time"])

    assert answer["final"]
    assert answer["completeThrough"] >= bound["time"]
    assert (answer["account"], answer["until"]) == ("one", None)
    assert {name: again[name] for name in ("account", "binding", "since", "at", "final")}.items() <= answer.items()


async def test_binding_to_the_present_payer_changes_nothing(world: World) -> None:
    results = await world.tell(
        "present", ready_account("present", "one"), bind("present", "1", "one"), bind("present", "2", "one")
    )

    assert results[-1]["type"] == "billing.command.accepted.v1"
    assert (results[-1]["data"]["events"], results[-1]["data"]["eventCount"]) == ([], 0)
    assert len(await world.events("present", *INTERVALS)) == 1


async def test_the_compacted_topic_tells_the_payer_and_the_timeline(world: World) -> None:
    await world.tell(
        "timeline",
        ready_account("timeline", "one"),
        ready_account("timeline", "two"),
        bind("timeline", "1", "one"),
        bind("timeline", "2", "two"),
        command("timeline", "project.unbind", "3", project="web"),
        bind("timeline", "4", "one"),
    )
    state = await world.newest("payers", "timeline/web")
    events = await world.messages("binding_events", "timeline")

    assert state["sequence"] == events[-1]["sequence"]
    assert state["payer"]["account"] == "one"
    assert [(entry["account"], entry.get("reason")) for entry in state["timeline"]] == [
        ("one", "SUPERSEDED"),
        ("two", "UNBOUND"),
        ("one", None),
    ]


async def test_nothing_of_one_organization_touches_another(world: World) -> None:
    await world.tell("mine", ready_account("mine", "main"))
    (theirs,) = await world.tell("theirs", bind("theirs", "1", "main"))

    assert [reason["code"] for reason in theirs["data"]["reasons"]] == ["ACCOUNT_NOT_FOUND"]


async def test_all_that_the_stories_left_behind_fits_together(world: World) -> None:
    await check(world.deployment)


async def test_partitions_that_somebody_adds_are_refused_until_a_cut_over(deployment: Deployment) -> None:
    moved = next(name for name in (f"org-{n}" for n in range(100)) if partition_of(name, 4) == 3)
    home = partition_of(moved, 3)
    await deployment.publish(moved, ready_account(moved, "main"))
    with deployment.worker():
        await deployment.answers()
    admin = clients.admin(deployment.settings.kafka)
    await admin.start()
    await admin.create_partitions({deployment.settings.topics.commands: NewPartitions(4)})
    await admin.close()

    with deployment.worker() as worker:
        await deployment.publish(moved, ready_account(moved, "other"), partition=3)
        await deployment.publish(moved, ready_account(moved, "other"), partition=home)
        results = await deployment.answers()
        (differ,) = [event for event in worker.events() if event["event"] == "partitions_differ"]

    (refused,) = [result for result in results if result["type"] == "billing.command.rejected.v1"]
    assert [(why["code"], why["details"]) for why in refused["data"]["reasons"]] == [
        ("WRONG_PARTITION", {"expected": home})
    ]
    assert len(results) == 3
    assert (differ["declared"], differ["actual"]) == (3, 4)


async def test_history_is_only_ever_closed_never_rewritten(world: World) -> None:
    await world.tell("history", ready_account("history", "one"), bind("history", "1", "one"))

    async with world.deployment.engine() as engine, engine.connect() as connection:
        with pytest.raises(DBAPIError, match="the history in bindings is not rewritten"):
            await connection.execute(
                text("UPDATE bindings SET since = since - interval '1 day' WHERE organization = 'history'")
            )
