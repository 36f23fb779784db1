"""A history with everything that `verify` looks at, and what its claims come to within a transaction of the test's."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.system.deployment import command, ready_account
from worker.recovery.verify.digest import Digest, digests
from worker.recovery.verify.finding import Finding
from worker.recovery.verify.ground import Ground, Look, ground_on
from worker.recovery.verify.proof import prove

FAR = "2090-01-01T00:00:00Z"
APPROVAL = {"by": "lead@example.com", "reference": "T-1"}


def history(organization: str) -> Iterator[bytes]:
    """Commands that leave accounts in every phase, and projects in every state."""
    number = 0

    def said(kind: str, **data: Any) -> bytes:
        nonlocal number
        number += 1
        return command(organization, kind, f"h-{number}", **data)

    def profile(account: str, status: str, **more: str) -> bytes:
        return said(
            "account.report-payment-profile", account=account, externalId=f"pm-{account}", status=status, **more
        )

    for account in ("main", "spare", "held", "gone", "late"):
        yield ready_account(organization, account)
    yield said("account.create", account="idle", currency="EUR")
    yield said("account.create", account="brief", currency="USD")
    yield said("account.delete", account="brief")
    yield said("account.archive", account="gone", approval=APPROVAL)
    yield said("account.update", account="main", labels={"team": "a", "floor": "2"}, contact={"email": "a@example.com"})
    yield profile("late", "Valid", validUntil=FAR)
    yield said("account.schedule-suspension", account="late", reason="NON_PAYMENT", dueAt=FAR, message="Pay, please.")
    for project, account in (("web", "main"), ("web", "spare"), ("web", "main"), ("shop", "main"), ("risky", "held")):
        yield said("project.bind", project=project, account=account)
    for account in ("main", "spare"):
        yield said("project.bind", project="old", account=account)
        yield said("project.unbind", project="old")
    yield said("project.bind", project="dead", account="main")
    yield said("project.delete", project="dead")
    yield said("project.register", project="fresh")
    yield said("project.lock", project="shop", note="Audit.")
    yield said("account.suspend", account="spare", reason="ADMINISTRATIVE", message="Wait.", hold="h-1")
    yield said("account.suspend", account="spare", reason="NON_PAYMENT", message="Pay.")
    yield said("account.reactivate", account="spare", all=True, approval=APPROVAL)
    yield profile("main", "Invalid", cause="Declined")
    yield profile("main", "Valid")
    yield said("account.suspend", account="held", reason="NON_PAYMENT", message="Pay.", blocksRebind=False)
    yield said("project.unbind", project="nowhere")
    yield json.dumps(json.loads(said("project.bind", project="web", account="spare")) | {"dryrun": True}).encode()


@asynccontextmanager
async def unguarded(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction in which no trigger and no foreign key keeps anybody from anything; nothing of it stays."""
    async with engine.connect() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        yield connection
        await connection.rollback()


async def do(connection: AsyncConnection, statements: Sequence[str]) -> int:
    """Run statements; how many rows they changed."""
    changed = [(await connection.exec_driver_sql(statement)).rowcount for statement in statements]
    return sum(max(0, count) for count in changed)


async def look(connection: AsyncConnection, **wanted: Any) -> Ground:
    """What there is, within this transaction."""
    return await ground_on(connection, Look("none.commands", 3, **wanted))


async def findings(connection: AsyncConnection, **wanted: Any) -> dict[str, Finding]:
    """What came of every claim, by name."""
    ground = await look(connection, **wanted)
    return {finding.check.name: finding async for finding in prove(ground)}


async def refuted(connection: AsyncConnection, **wanted: Any) -> dict[str, Finding]:
    """The claims that do not hold."""
    return {name: finding for name, finding in (await findings(connection, **wanted)).items() if not finding.holds}


async def digest(connection: AsyncConnection, **wanted: Any) -> Digest:
    """Of all."""
    at = wanted.pop("at", None)
    total = Digest(None)
    async for each in digests(await look(connection, **wanted), at):
        total.add(each)
    return total
