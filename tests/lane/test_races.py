"""Publishers that race: the log puts them in one order, and in that order every rule holds."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.system.checker import check
from tests.system.deployment import Deployment, command, ready_account

ORGANIZATION = "acme"
ROUNDS = 30

APPROVAL = {"by": "lead@example.com", "reference": "T-1"}
SETTLEMENT = {"reference": "S-1", "settledThrough": "2020-01-01T00:00:00Z"}
MOVE: dict[str, Any] = {"from": "main", "to": "other"}

Against = Callable[[int], list[bytes]]


def suspend_and_reactivate(number: int) -> list[bytes]:
    hold = {"account": "main", "hold": f"h-{number}"}
    suspended = command(
        ORGANIZATION, "account.suspend", f"suspend-{number}", **hold, reason="ADMINISTRATIVE", message="Audit."
    )
    return [suspended, command(ORGANIZATION, "account.reactivate", f"release-{number}", **hold, approval=APPROVAL)]


def archive(number: int) -> list[bytes]:
    data: dict[str, Any] = {"account": "main", "approval": APPROVAL, "settlement": SETTLEMENT}
    return [command(ORGANIZATION, "account.archive", f"archive-{number}", **data)]


def delete(number: int) -> list[bytes]:
    return [command(ORGANIZATION, "account.delete", f"delete-{number}", account="main")]


def move(number: int) -> list[bytes]:
    return [command(ORGANIZATION, "account.move-projects", f"move-{number}", **MOVE)]


async def test_of_twenty_binds_of_one_project_at_once_one_pays_at_any_time(deployment: Deployment) -> None:
    accounts = [f"a-{number}" for number in range(20)]
    await deployment.publish(ORGANIZATION, *(ready_account(ORGANIZATION, account) for account in accounts))
    with deployment.worker():
        await deployment.answers()
        async with asyncio.TaskGroup() as publishers:
            for account in accounts:
                value = command(ORGANIZATION, "project.bind", f"bind-{account}", project="web", account=account)
                publishers.create_task(deployment.publish(ORGANIZATION, value))
        await deployment.answers()

    sent = [f"{kind}-{account}" for account in accounts for kind in ("create", "bind")]
    await check(deployment, Counter(sent))
    ((open_bindings,),) = await deployment.rows("SELECT count(*) FROM bindings WHERE ended = 'open'")
    assert open_bindings == 1


@pytest.mark.parametrize("against", [suspend_and_reactivate, archive, delete, move])
async def test_binds_that_race_with_what_forbids_them_break_no_rule(deployment: Deployment, against: Against) -> None:
    await deployment.publish(ORGANIZATION, *(ready_account(ORGANIZATION, account) for account in ("main", "other")))
    with deployment.worker():
        await deployment.answers()
        async with asyncio.TaskGroup() as publishers:
            for number in range(ROUNDS):
                binds = [
                    command(
                        ORGANIZATION, "project.bind", f"b-{number}-{account}", project=f"p-{number}", account=account
                    )
                    for account in ("main", "other")
                ]
                unbind = command(ORGANIZATION, "project.unbind", f"u-{number}", project=f"p-{number}")
                publishers.create_task(deployment.publish(ORGANIZATION, *binds, unbind))
                publishers.create_task(deployment.publish(ORGANIZATION, *against(number)))
        results = await deployment.answers()

    assert len(results) == deployment.sent
    await check(deployment)
