"""What the tables hold, in the shapes of the contract; row by row, without keeping them."""
# ruff: noqa: S608  the statements are of this module's own making

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.instants import format_instant
from tests.system.checker.ledger import Ledger, mark_of
from tests.system.checker.marks import digest
from tests.system.checker.messages import Json, Place
from tests.system.checker.projects import Interval
from worker.settings import Topics
from worker.wire.journal import unpack_headers
from worker.wire.partitions import partition_of_key

ENDS = {"superseded": "SUPERSEDED", "released": "UNBOUND", "deleted": "PROJECT_DELETED"}

CHUNK_ROWS = 2_000


def written(at: datetime | str | None) -> str | None:
    """An instant of a column as the contract writes it; those in JSON are text there."""
    if at is None:
        return None
    return format_instant(datetime.fromisoformat(at) if isinstance(at, str) else at)


async def rows(connection: AsyncConnection, statement: str) -> AsyncIterator[Row[Any]]:
    """The rows of a query as they come from the server."""
    async with connection.stream(text(statement)) as result:
        async for chunk in result.partitions(CHUNK_ROWS):
            for row in chunk:
                yield row


async def accounts(connection: AsyncConnection) -> AsyncIterator[tuple[str, Json]]:
    """Accounts as `billing.accounts` carries them, without their holds."""
    async for row in rows(connection, "SELECT * FROM accounts"):
        contact = None
        if row.contact_email is not None:
            contact = {"email": row.contact_email} | ({"name": row.contact_name} if row.contact_name else {})
        document: Json = {
            "organization": row.organization,
            "account": row.account,
            "sequence": row.sequence,
            "phase": row.phase,
            "phaseSince": written(row.phase_since),
            "activatedAt": written(row.activated_at),
            "currency": row.currency,
            "paymentTerms": {
                "netDays": row.net_days,
                "invoiceDayOfMonth": row.invoice_day_of_month,
                "invoiceFrequency": row.invoice_frequency,
            },
            "contact": contact,
            "displayName": row.display_name,
            "paymentProfiles": {place: _profile(row, place) for place in ("serving", "pending")},
            "scheduled": [
                entry | {name: written(entry[name]) for name in ("dueAt", "scheduledAt")} for entry in row.scheduled
            ],
            "labels": row.labels,
        }
        if row.deleted_at is not None:
            document["deletedAt"] = written(row.deleted_at)
        yield f"{row.organization}/{row.account}", document


def _profile(row: Row[Any], place: str) -> Json | None:
    columns = ("type", "external_id", "status", "cause", "valid_until")
    kind, external_id, status, cause, valid_until = (getattr(row, f"{place}_{column}") for column in columns)
    if kind is None:
        return None
    return {
        "type": kind,
        "externalId": external_id,
        "status": status,
        "cause": cause,
        "validUntil": written(valid_until),
    }


async def holds(connection: AsyncConnection) -> AsyncIterator[tuple[str, Json]]:
    """Holds, also released ones, by account and the sequence of their event."""
    async for row in rows(connection, "SELECT * FROM holds"):
        document: Json = {
            "hold": row.hold,
            "reason": row.reason,
            "message": row.message,
            "blocksRebind": row.blocks_rebind,
            "placedBy": row.placed_by,
            "placedAt": written(row.placed_at),
            "sequence": row.sequence,
            "releasedAt": written(row.released_at),
        }
        if row.released_at is not None:
            approved = row.approval_by is not None
            document |= {
                "releasedBy": row.released_by,
                "approval": {"by": row.approval_by, "reference": row.approval_reference} if approved else None,
                "automatic": row.automatic,
            }
        yield f"{row.organization}/{row.account}#{row.sequence}", document


async def phases(connection: AsyncConnection) -> AsyncIterator[tuple[str, tuple[Any, ...]]]:
    """Phases by account and the sequence of the event that began them."""
    async for row in rows(connection, "SELECT * FROM phases"):
        key = f"{row.organization}/{row.account}#{row.sequence}"
        yield key, (row.sequence, row.phase, written(row.at), row.reason)


async def projects(connection: AsyncConnection) -> AsyncIterator[tuple[str, Json]]:
    """Projects, without their bindings."""
    async for row in rows(connection, "SELECT * FROM projects"):
        yield (
            f"{row.organization}/{row.project}",
            {
                "sequence": row.sequence,
                "registeredAt": written(row.registered_at),
                "locked": row.locked,
                "atRisk": row.at_risk,
                "deletedAt": written(row.deleted_at),
                "tombstoned": row.tombstoned,
            },
        )


async def bindings(connection: AsyncConnection) -> AsyncIterator[tuple[str, Interval]]:
    """Bindings by project and beginning."""
    async for row in rows(connection, "SELECT *, nullif(until, 'infinity') AS ends FROM bindings"):
        since = written(row.since) or ""
        interval = Interval(
            str(UUID(str(row.binding))), row.account, row.currency, since, written(row.ends), ENDS.get(row.ended)
        )
        yield f"{row.organization}/{row.project}#{since}", interval


async def inbox(connection: AsyncConnection) -> AsyncIterator[tuple[str, tuple[Any, ...]]]:
    """Ids used up, with the place and the digest of the answer."""
    async for row in rows(connection, 'SELECT organization, command_id, lane, "offset", outcome, result FROM inbox'):
        answer = digest(orjson.dumps(orjson.loads(row.result)))
        yield f"{row.organization}/{row.command_id}", (Place(row.lane, row.offset), row.outcome, answer)


async def journal(connection: AsyncConnection, names: Topics) -> Ledger:
    """The journal, by the way that each row goes."""
    ledger = Ledger()
    columns = 'lane, "offset", index, topic, key, value, headers'
    async for row in rows(connection, f'SELECT {columns} FROM journal ORDER BY lane, "offset", index'):
        lane, offset, index, topic, key, value, headers = tuple(row)
        name = getattr(names, topic.replace("-", "_"))
        partition = 0 if key is None else partition_of_key(key, names.partitions)
        packed = unpack_headers(headers) if headers is not None else ()
        ledger.enter((lane, name, partition), Place(lane, offset, index), mark_of(key, value, packed))
    return ledger
