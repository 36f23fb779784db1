"""A command that makes the program or a constraint fail is answered as a defect; all around it goes on."""

import json
from typing import Any

from sqlalchemy import text

from tests.system.deployment import Deployment, command, ready_account

ORGANIZATION, BROKEN = "acme", "suspend-broken"
OTHERS = 20


async def claim_the_next_phase(deployment: Deployment) -> None:
    """Let the table of phases hold already what the account's next change of phase would write: no log says so."""
    async with deployment.engine() as engine, engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO phases (organization, account, sequence, at, phase, reason)"
                " SELECT organization, account, sequence + 2, at, 'Suspended', 'NON_PAYMENT'"
                " FROM phases WHERE account = 'broken' ORDER BY sequence DESC LIMIT 1"
            )
        )


def suspend(account: str) -> bytes:
    return command(
        ORGANIZATION, "account.suspend", f"suspend-{account}", account=account, reason="NON_PAYMENT", message="So."
    )


async def test_a_command_that_hits_a_constraint_is_answered_as_a_defect_and_those_around_it_are_carried_out(
    deployment: Deployment,
) -> None:
    accounts = [f"sound-{number}" for number in range(OTHERS)]
    accounts.insert(OTHERS // 2, "broken")
    with deployment.worker() as worker:
        await deployment.publish(ORGANIZATION, *(ready_account(ORGANIZATION, account) for account in accounts))
        await deployment.answers()
        await claim_the_next_phase(deployment)
        await deployment.publish(ORGANIZATION, *(suspend(account) for account in accounts))
        await deployment.publish(ORGANIZATION, suspend("broken"))
        deployment.sent += 1  # a copy in dead letters, beside the answer
        results = [result for result in await deployment.answers() if result["data"]["command"].startswith("suspend")]
        defects = worker_said(worker.events())

    first, again = [result["data"] for result in results if result["data"]["command"] == BROKEN]
    assert [reason["code"] for reason in first["reasons"]] == ["INTERNAL_ERROR"]
    assert again == first | {"duplicate": True}
    assert {result["type"] for result in results if result["data"]["command"] != BROKEN} == {
        "billing.command.accepted.v1"
    }
    (letter,) = await deployment.read("dead_letters")
    assert letter.value == suspend("broken")
    assert dict(letter.headers)["billing-reason"] == b"INTERNAL_ERROR"
    assert defects
    assert await phases_of(deployment, "broken") == ["Provisioning", "Ready"]
    assert await phases_of(deployment, "sound-0") == ["Provisioning", "Ready", "Suspended"]


def worker_said(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What would wake somebody up."""
    return [event for event in events if event.get("event") in {"batch_defect", "command_defect"}]


async def phases_of(deployment: Deployment, account: str) -> list[str]:
    """As published."""
    records = await deployment.read("account_events")
    events = [json.loads(record.value) for record in records if record.key == f"{ORGANIZATION}/{account}".encode()]
    return [event["data"]["to"] for event in events if event["type"] == "billing.account.phase-changed.v1"]
