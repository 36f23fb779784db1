"""Rows by the thousand, as batches would have left them."""
# ruff: noqa: S608  the statements are literals of this file

from collections.abc import Mapping
from typing import Self

from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.values import Instant

BEFORE = "2025-12-01Z"


async def add_account(
    connection: AsyncConnection,
    name: str,
    *,
    organization: str = "acme",
    lane: int = 3,
    due_at: Instant | None = None,
    owes: str | None = None,
    after: str = "",
) -> None:
    """A Ready account, or one that owes notices: since its suspension or its return."""
    phase = "Suspended" if owes == "AT_RISK" else "Ready"
    values = {
        "organization": organization,
        "account": name,
        "lane": lane,
        "due_at": due_at,
        "kind": owes,
        "after": after if owes else None,
        "phase": phase,
        "holds": int(phase == "Suspended"),
    }
    await connection.execute(
        text(f"""
            INSERT INTO accounts (organization, account, lane, sequence, phase, phase_since, currency, net_days,
                invoice_day_of_month, invoice_frequency, labels, activated_at, holds_active, scheduled, notices_kind,
                notices_after, due_at, created_at, active_bindings)
            VALUES (:organization, :account, :lane, 3, :phase, '{BEFORE}', 'EUR', 30,
                1, 'Monthly', '{{}}', '{BEFORE}', :holds, '[]', :kind,
                :after, :due_at, '{BEFORE}', 0)
        """),
        values,
    )


async def add_projects(
    connection: AsyncConnection, account: str, count: int, *, prefix: str = "p", at_risk: str = "false"
) -> None:
    """Projects p00000, p00001 … that an account of acme's pays for. `at_risk`: SQL for their number `n`."""
    project, numbers = f"'{prefix}' || lpad(n::text, 5, '0')", "generate_series(0, :count - 1) AS n"
    statements = [
        f"""
        INSERT INTO projects (organization, project, lane, sequence, registered_at, locked, at_risk, tombstoned)
        SELECT 'acme', {project}, 3, 2, '{BEFORE}', false, {at_risk}, false FROM {numbers}
        """,
        f"""
        INSERT INTO bindings (organization, project, since, binding, account, currency)
        SELECT 'acme', {project}, '{BEFORE}', gen_random_uuid(), :account, 'EUR' FROM {numbers}
        """,
        "UPDATE accounts SET active_bindings = active_bindings + :count WHERE account = :account",
    ]
    for statement in statements:
        values = {"count": count} | ({"account": account} if ":account" in statement else {})
        await connection.execute(text(statement), values)


async def add_history(connection: AsyncConnection, account: str, intervals: Mapping[str, int]) -> None:
    """Projects of acme's, each with so many closed intervals of a minute behind it, that an account pays for now."""
    of_each = "unnest(CAST(:projects AS text[]), CAST(:intervals AS integer[])) AS each (project, closed)"
    begun, minute = f"CAST('{BEFORE}' AS timestamptz)", "interval '1 minute'"
    statements = [
        f"""
        INSERT INTO projects (organization, project, lane, sequence, registered_at, locked, at_risk, tombstoned)
        SELECT 'acme', project, 3, 2 + 2 * closed, {begun}, false, false, false FROM {of_each}
        """,
        f"""
        INSERT INTO bindings (organization, project, since, until, ended, prev_until, prev_ended, binding, account,
            currency)
        SELECT 'acme', project, {begun} + n * {minute},
            CASE WHEN n < closed THEN {begun} + (n + 1) * {minute} ELSE 'infinity' END,
            CASE WHEN n < closed THEN 'superseded' ELSE 'open' END,
            CASE WHEN n > 0 THEN {begun} + n * {minute} END, CASE WHEN n > 0 THEN 'superseded' END,
            gen_random_uuid(), :account, 'EUR'
        FROM {of_each} CROSS JOIN LATERAL generate_series(0, closed) AS n
        """,
        """
        UPDATE accounts SET active_bindings = active_bindings + cardinality(CAST(:projects AS text[]))
        WHERE account = :account
        """,
    ]
    values = {"projects": list(intervals), "intervals": list(intervals.values()), "account": account}
    for statement in statements:
        await connection.execute(text(statement), {name: values[name] for name in values if f":{name}" in statement})


async def add_deleted(connection: AsyncConnection, count: int, *, lane: int = 3, deleted_at: Instant) -> None:
    """Deleted projects d00000, d00001 … whose record is to be removed, the last first, a microsecond apart."""
    await connection.execute(
        text("""
            INSERT INTO projects (organization, project, lane, sequence, registered_at, locked, at_risk, tombstoned,
                deleted_at, due_at)
            SELECT 'acme', 'd' || lpad(n::text, 5, '0'), :lane, 1, :deleted_at, false, false, false,
                :deleted_at, CAST(:deleted_at AS timestamptz) - n * interval '1us' + interval '1 day'
            FROM generate_series(0, :count - 1) AS n
        """),
        {"count": count, "lane": lane, "deleted_at": deleted_at},
    )


class Statements:
    """Counts what is sent to the database."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.count = 0
        self._connection = connection.sync_connection

    def __enter__(self) -> Self:
        event.listen(self._connection, "before_cursor_execute", self._add)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self._connection, "before_cursor_execute", self._add)

    def _add(self, *_: object) -> None:
        self.count += 1
