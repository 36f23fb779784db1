"""The role that a running worker connects as: it adds to history and cannot rewrite it, and changes no tables."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.store.engine import PLANNING

_GRANTS: Final = (
    "SELECT ON alembic_version, installation, lanes, rules, inbox, journal",
    "SELECT ON accounts, holds, phases, projects, bindings",
    "UPDATE (commands_topic, partitions) ON installation",
    "INSERT, UPDATE ON lanes, rules, accounts",
    "INSERT, UPDATE (released_at, released_by, approval_by, approval_reference, automatic) ON holds",
    "INSERT ON phases",
    "INSERT, UPDATE (sequence, locked, at_risk, deleted_at, tombstoned, due_at) ON projects",
    "INSERT, UPDATE (until, ended) ON bindings",
    "INSERT, DELETE ON inbox",  # ids are forgotten when their time is over
    "INSERT ON journal",
    "SELECT, INSERT ON audit",
    "EXECUTE ON FUNCTION ensure_journal_pieces, drop_journal_pieces",
)
_EXISTS = text("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = :role)")
_JOURNALS_OF_LANES = text(
    "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = CAST('journal' AS regclass)"
)
_SCHEMA = text("SELECT quote_ident(current_schema())")
_QUOTED = text("SELECT quote_ident(:role), quote_literal(CAST(:password AS text))")


async def grant_runtime(
    owner: AsyncConnection,
    role: str,
    password: str | None,
    *,
    idle_in_transaction_seconds_max: int = 30,
    statement_seconds_max: int = 30,
    lock_seconds_max: int = 10,
) -> None:
    """Let a role run the worker, creating it if there is none; its password is left alone if None is given.

    `owner` is connected as whoever migrated. The limits are set on the role, for poolers drop what a session asks for,
    and a worker that was stopped in the middle keeps its locks until the server ends it. Raises ValueError for a limit
    that is not positive: zero would mean none.
    """
    limits = {
        "idle_in_transaction_session_timeout": idle_in_transaction_seconds_max,
        "statement_timeout": statement_seconds_max,
        "lock_timeout": lock_seconds_max,
    }
    if min(limits.values()) < 1:
        raise ValueError("a limit is at least one second")
    # Names and passwords cannot be parameters of these statements, so the database quotes them.
    name, secret = (await owner.execute(_QUOTED, {"role": role, "password": password})).one()
    if not (await owner.execute(_EXISTS, {"role": role})).scalar_one():
        await _say(owner, f"CREATE ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE")
    if password is not None:
        await _say(owner, f"ALTER ROLE {name} PASSWORD {secret}")
    for setting, seconds in limits.items():
        await _say(owner, f"ALTER ROLE {name} SET {setting} = '{seconds}s'")
    for setting, value in PLANNING.items():
        await _say(owner, f"ALTER ROLE {name} SET {setting} = '{value}'")
    schema = (await owner.execute(_SCHEMA)).scalar_one()
    await _say(owner, f"GRANT USAGE ON SCHEMA {schema} TO {name}")
    for grant in _GRANTS:
        await _say(owner, f"GRANT {grant} TO {name}")
    for table in (await owner.execute(_JOURNALS_OF_LANES)).scalars().all():
        await _say(owner, f"GRANT SELECT, INSERT ON {table} TO {name}")


async def _say(owner: AsyncConnection, statement: str) -> None:
    await owner.exec_driver_sql(statement)
