"""PostgreSQL: is it there, new enough, migrated, durable, and is the role's right what it must be."""

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.ops.doctor.finding import Findings, written
from worker.settings import Settings
from worker.store import revisions

VERSION_MIN: Final = 150_000
CLOCKS_APART_SECONDS_MAX: Final = 1.0

_SERVER = text(
    """
    SELECT CAST(current_setting('server_version_num') AS integer), current_setting('server_version'),
        pg_is_in_recovery() OR CAST(current_setting('transaction_read_only') AS boolean), clock_timestamp()
    """
)
_DURABLE: Final = {
    "fsync": {"on"},
    "full_page_writes": {"on"},
    "synchronous_commit": {"on", "local", "remote_write", "remote_apply"},
}
_SETTING = text("SELECT current_setting(:name)")
_ROOM = text(
    """
    SELECT current_user, rolconnlimit, CAST(current_setting('max_connections') AS integer)
        - CAST(current_setting('superuser_reserved_connections') AS integer),
        (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
    FROM pg_roles WHERE rolname = current_user
    """
)
_NEEDED: Final = {
    "lanes": ("SELECT", "INSERT", "UPDATE"),
    "accounts": ("SELECT", "INSERT", "UPDATE"),
    "bindings": ("SELECT", "INSERT"),
    "projects": ("SELECT", "INSERT"),
    "phases": ("SELECT", "INSERT"),
    "inbox": ("SELECT", "INSERT", "DELETE"),
    "journal": ("SELECT", "INSERT"),
}
_HISTORY: Final = ("bindings", "phases", "journal")
_MAY = text("SELECT has_table_privilege(:table, :right)")


async def examine(findings: Findings, connection: AsyncConnection, settings: Settings) -> bool:
    """Everything about the server and the schema. Returns whether the schema is the one that this release needs."""
    number, version, is_read_only, now = (await connection.execute(_SERVER)).one()
    findings.judge("version", version, None if number >= VERSION_MIN else "PostgreSQL 15 or newer is needed")
    advice = "connect to the primary: after a fail-over BILLING_DATABASE__URL may name the old one"
    findings.judge("writes", "refused" if is_read_only else "taken", advice if is_read_only else None)
    _clock(findings, now)
    for name, wanted in _DURABLE.items():
        held = (await connection.execute(_SETTING, {"name": name})).scalar_one()
        lost = "what was committed may be lost, though it was published: turn it on"
        findings.judge(name, held, None if held in wanted else lost)
    await _room(findings, connection, settings)
    current, head = await revisions.current_revision(connection), revisions.head_revision()
    if await revisions.goes_with(connection):
        later = "" if current == head else f", a later release's, which serves {head} too"
        findings.ok("schema", f"revision {current}{later}")
        await _rights(findings, connection)
        return True
    advice = f"this release needs {head}: {revisions.advice_on(current)}"
    findings.failure("schema", f"revision {current}" if current else "no tables", advice)
    return False


def _clock(findings: Findings, now: datetime) -> None:
    apart = now - datetime.now(UTC)
    if abs(apart.total_seconds()) > CLOCKS_APART_SECONDS_MAX:
        findings.warning("clock", f"{written(apart)} from this machine's", "let both follow a time server")
    else:
        findings.ok("clock", f"{written(apart)} from this machine's")


async def _room(findings: Findings, connection: AsyncConnection, settings: Settings) -> None:
    role, of_role, of_server, used = (await connection.execute(_ROOM)).one()
    pool = settings.database.pool_size
    if 0 <= of_role < pool:
        advice = f"a worker wants {pool} (BILLING_DATABASE__POOL_SIZE): lower that, or ALTER ROLE … CONNECTION LIMIT"
        findings.failure("connections", f"{of_role} for role {role}", advice)
    elif of_server - used < pool:
        advice = f"a worker wants {pool} (BILLING_DATABASE__POOL_SIZE): raise max_connections, or use a pooler"
        findings.warning("connections", f"{used} of {of_server} are taken", advice)
    else:
        findings.ok("connections", f"{used} of {of_server} are taken")


async def _rights(findings: Findings, connection: AsyncConnection) -> None:
    async def may(table: str, right: str) -> bool:
        return bool((await connection.execute(_MAY, {"table": table, "right": right})).scalar_one())

    lacking = [
        f"{right} on {table}" for table, rights in _NEEDED.items() for right in rights if not await may(table, right)
    ]
    if lacking:
        advice = "run `billing-worker migrate` with BILLING_DATABASE__OWNER_URL: it grants what the worker needs"
        findings.failure("rights", f"no {', '.join(lacking)}", advice)
    elif any([await may(table, "DELETE") for table in _HISTORY]):
        advice = "run as another role than the owner of the tables (BILLING_DATABASE__OWNER_URL is for `migrate`)"
        findings.warning("rights", "the role may rewrite history", advice)
    else:
        findings.ok("rights", "all that is needed, and none to rewrite history")
