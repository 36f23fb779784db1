"""What time alone brings about happens by itself, once, and before whatever comes after it in the log."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.system.checker import check
from tests.system.deployment import Deployment, command, ready_account
from tests.system.settling import until

ORGANIZATION = "acme"


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def expiring_account(account: str, valid_until: str) -> bytes:
    profile = {"type": "card", "externalId": f"pm-{account}", "status": "Valid", "validUntil": valid_until}
    return command(
        ORGANIZATION, "account.create", f"create-{account}", account=account, currency="EUR", paymentProfile=profile
    )


def bind(id_: str, project: str, account: str) -> bytes:
    return command(ORGANIZATION, "project.bind", id_, project=project, account=account)


def approved(kind: str, id_: str, **data: Any) -> bytes:
    approval = {"by": "lead@example.com", "reference": "T-1"}
    return command(ORGANIZATION, kind, id_, approval=approval, **data)


async def changes(deployment: Deployment) -> list[tuple[str | None, str, str]]:
    """From, to, reason of every phase change."""
    events = await deployment.messages("account_events")
    return [
        (event["data"]["from"], event["data"]["to"], event["data"]["reason"])
        for event in events
        if event["type"] == "billing.account.phase-changed.v1"
    ]


async def of_kind(deployment: Deployment, kind: str) -> list[dict[str, Any]]:
    return [event for event in await deployment.messages("binding_events") if event["type"] == f"billing.{kind}.v1"]


async def test_a_payment_profile_expires_by_itself_when_nobody_sends_anything(deployment: Deployment) -> None:
    await deployment.publish(ORGANIZATION, expiring_account("main", in_seconds(3)))
    with deployment.worker():
        await until(lambda: _has_fallen(deployment), "the account is suspended")

    assert await changes(deployment) == [
        (None, "Provisioning", "CREATED"),
        ("Provisioning", "Ready", "ACTIVATED"),
        ("Ready", "Suspended", "PAYMENT_PROFILE_EXPIRED"),
    ]


async def _has_fallen(deployment: Deployment) -> bool:
    return any(to == "Suspended" for _, to, _ in await changes(deployment))


async def test_binds_that_waited_while_the_worker_was_down_are_decided_as_if_it_had_never_been(
    deployment: Deployment,
) -> None:
    await deployment.publish(ORGANIZATION, expiring_account("main", in_seconds(8)))
    with deployment.worker():
        await deployment.answers()
    await deployment.publish(ORGANIZATION, bind("in-time", "web", "main"))
    await asyncio.sleep(8)
    await deployment.publish(ORGANIZATION, bind("too-late", "api", "main"))

    with deployment.worker():
        results = {result["data"]["command"]: result for result in await deployment.answers()}

    assert results["in-time"]["type"] == "billing.command.accepted.v1"
    (reason,) = results["too-late"]["data"]["reasons"]
    assert reason["code"] == "ACCOUNT_NOT_READY"
    assert reason["details"]["holds"][0]["reason"] == "PAYMENT_PROFILE_EXPIRED"


async def test_a_scheduled_suspension_begins_when_its_time_has_come(deployment: Deployment) -> None:
    schedule = command(
        ORGANIZATION,
        "account.schedule-suspension",
        "schedule",
        account="main",
        reason="NON_PAYMENT",
        dueAt=in_seconds(4),
        message="Invoice 7 is overdue.",
    )
    await deployment.publish(ORGANIZATION, ready_account(ORGANIZATION, "main"), schedule)
    with deployment.worker(RULES__SUSPENSION_NOTICE_SECONDS="1"):
        await until(lambda: _has_fallen(deployment), "the account is suspended")

    assert (await changes(deployment))[-1] == ("Ready", "Suspended", "NON_PAYMENT")
    (hold,) = [
        event["data"]["hold"]
        for event in await deployment.messages("account_events")
        if event["type"] == "billing.account.hold-placed.v1"
    ]
    assert (hold["message"], hold["placedBy"]) == ("Invoice 7 is overdue.", "ops@example.com")


async def test_every_bound_project_is_told_once_that_its_payer_is_at_risk_and_once_that_it_is_not(
    deployment: Deployment,
) -> None:
    projects = [f"p-{number:04}" for number in range(1_200)]
    await deployment.publish(
        ORGANIZATION,
        ready_account(ORGANIZATION, "main"),
        *(bind(f"bind-{project}", project, "main") for project in projects),
    )
    suspend = command(
        ORGANIZATION, "account.suspend", "suspend", account="main", reason="ADMINISTRATIVE", message="Audit."
    )
    with deployment.worker():
        await deployment.answers()
        await deployment.publish(ORGANIZATION, suspend)
        await until(lambda: _told(deployment, "project.payer-at-risk", 1_200), "all are told of the risk")
        await deployment.publish(ORGANIZATION, approved("account.reactivate", "reactivate", account="main", all=True))
        await until(lambda: _told(deployment, "project.payer-restored", 1_200), "all are told that it is over")

    for kind in ("project.payer-at-risk", "project.payer-restored"):
        subjects = Counter(event["subject"] for event in await of_kind(deployment, kind))
        assert subjects == {f"projects/{ORGANIZATION}/{project}": 1 for project in projects}
    await check(deployment)


async def _told(deployment: Deployment, kind: str, times: int) -> bool:
    return len(await of_kind(deployment, kind)) >= times


async def test_all_projects_of_an_account_move_at_one_instant(deployment: Deployment) -> None:
    projects = [f"p-{number:04}" for number in range(1_000)]
    data: dict[str, Any] = {"from": "main", "to": "other", "expectedCount": len(projects)}
    move = command(ORGANIZATION, "account.move-projects", "move", **data)
    await deployment.publish(
        ORGANIZATION,
        ready_account(ORGANIZATION, "main"),
        ready_account(ORGANIZATION, "other"),
        *(bind(f"bind-{project}", project, "main") for project in projects),
        move,
        bind("after", "p-0000", "main"),
    )
    with deployment.worker():
        results = {result["data"]["command"]: result["data"] for result in await deployment.answers()}

    assert (results["move"]["eventCount"], len(results["move"]["events"])) == (2_000, 100)
    superseded = [event["data"] for event in await of_kind(deployment, "binding.superseded")]
    moved = [data for data in superseded if data["supersededBy"]["account"] == "other"]
    assert len({data["until"] for data in moved}) == 1
    assert {data["project"] for data in moved} == set(projects)
    await check(deployment)


async def test_a_deleted_project_leaves_the_compacted_topic_when_its_retention_is_over(deployment: Deployment) -> None:
    await deployment.publish(
        ORGANIZATION,
        ready_account(ORGANIZATION, "main"),
        bind("bind", "web", "main"),
        command(ORGANIZATION, "project.delete", "delete", project="web"),
    )
    with deployment.worker(RULES__TOMBSTONE_AFTER_SECONDS="2"):
        await deployment.answers()
        await until(lambda: _has_tombstone(deployment), "the record is removed")

    values = [record.value for record in await deployment.read("payers") if record.key == b"acme/web"]
    assert values[-1] is None
    assert values.count(None) == 1


async def _has_tombstone(deployment: Deployment) -> bool:
    return any(record.value is None for record in await deployment.read("payers"))
