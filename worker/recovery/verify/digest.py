"""A number that two systems have in common if and only if they hold the same: whatever the order of their rows.

Each row becomes a JSON array of what the contract shows of it, instants as microseconds since 1970, and that the
first 128 bits of its SHA-256, as two numbers of 64. A digest is the sum of those numbers, each modulo 2^64, over all
rows of an organization or of all; so neither the order of rows nor that of organizations counts. Arrays begin with
what they are:

    account   organization, account, sequence, phase, phaseSince, activatedAt, createdAt, deletedAt, currency, terms,
              displayName, contact, labels, both payment profiles, scheduled suspensions, how many projects it pays for
              and until when it last paid for one that left
    hold      organization, account, sequence, everything about its placing and its release
    phase     organization, account, sequence, phase, since when, reason
    project   organization, project, sequence, registeredAt, deletedAt, whether it is locked and at risk
    binding   organization, project, binding, account, currency, since, until, how it ended

What equal systems may differ in is left out: where lanes stand and whose they are, what is due and how far notices have
come, whether a compacted record was removed, the installation, and how rows are kept.

The digest as of an instant goes over what is known of the past alone: accounts and projects that were there (with their
deletion, if by then), phases that had begun, holds that were placed (with their release, if by then), and bindings
that had begun, open if they had not ended by then. It has its own kinds of arrays: it never equals a digest of now.
"""
# ruff: noqa: S608  the statements are of this module's own making

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from worker.domain.values import Instant
from worker.recovery.verify.ground import Ground

KINDS: Final = ("account", "hold", "phase", "project", "binding")
_TABLES: Final = {
    "account": "accounts",
    "hold": "holds",
    "phase": "phases",
    "project": "projects",
    "binding": "bindings",
}
_64_BITS: Final = 2**64


def _us(instant: str) -> str:
    """SQL for an instant as microseconds since 1970."""
    return f"CAST(extract(epoch FROM {instant}) * 1000000 AS bigint)"


def _profile(place: str) -> str:
    names = ("type", "external_id", "status", "cause")
    listed = ", ".join(f"t.{place}_{name}" for name in names)
    return f"jsonb_build_array({listed}, {_us(f't.{place}_valid_until')})"


_SCHEDULED: Final = f"""(
    SELECT coalesce(jsonb_agg(jsonb_build_array(
        entry ->> 'reason', {_us("CAST(entry ->> 'dueAt' AS timestamptz)")}, entry ->> 'message',
        entry ->> 'scheduledBy', {_us("CAST(entry ->> 'scheduledAt' AS timestamptz)")}
    ) ORDER BY entry ->> 'reason' COLLATE "C"), jsonb_build_array())
    FROM json_array_elements(t.scheduled) AS entry
)"""
_NOW: Final = {
    "account": f"""
        'account', t.organization, t.account, t.sequence, t.phase, {_us("t.phase_since")}, {_us("t.activated_at")},
        {_us("t.created_at")}, {_us("t.deleted_at")}, t.currency, t.net_days, t.invoice_day_of_month,
        t.invoice_frequency, t.display_name, t.contact_email, t.contact_name, CAST(t.labels AS jsonb),
        {_profile("serving")}, {_profile("pending")}, {_SCHEDULED}, t.active_bindings, {_us("t.last_binding_until")}
    """,
    "hold": f"""
        'hold', t.organization, t.account, t.sequence, t.hold, t.reason, t.message, t.blocks_rebind, t.placed_by,
        {_us("t.placed_at")}, {_us("t.released_at")}, t.released_by, t.approval_by, t.approval_reference, t.automatic
    """,
    "phase": f"'phase', t.organization, t.account, t.sequence, t.phase, {_us('t.at')}, t.reason",
    "project": f"""
        'project', t.organization, t.project, t.sequence, {_us("t.registered_at")}, {_us("t.deleted_at")}, t.locked,
        t.at_risk
    """,
    "binding": f"""
        'binding', t.organization, t.project, t.binding, t.account, t.currency, {_us("t.since")},
        {_us("nullif(t.until, 'infinity')")}, t.ended
    """,
}


def _by_then(column: str, instant: str) -> str:
    """SQL for a column that says something from an instant on."""
    return f"CASE WHEN {instant} <= :at THEN {column} END"


_THEN: Final = {
    "account": f"""
        'account then', t.organization, t.account, {_us("t.created_at")},
        {_by_then(_us("t.deleted_at"), "t.deleted_at")}
    """,
    "hold": f"""
        'hold then', t.organization, t.account, t.sequence, t.hold, t.reason, t.message, t.blocks_rebind, t.placed_by,
        {_us("t.placed_at")}, {_by_then(_us("t.released_at"), "t.released_at")},
        {_by_then("t.released_by", "t.released_at")}, {_by_then("t.approval_by", "t.released_at")},
        {_by_then("t.approval_reference", "t.released_at")}, {_by_then("t.automatic", "t.released_at")}
    """,
    "phase": f"'phase then', t.organization, t.account, t.sequence, t.phase, {_us('t.at')}, t.reason",
    "project": f"""
        'project then', t.organization, t.project, {_us("t.registered_at")},
        {_by_then(_us("t.deleted_at"), "t.deleted_at")}
    """,
    "binding": f"""
        'binding then', t.organization, t.project, t.binding, t.account, t.currency, {_us("t.since")},
        {_by_then(_us("nullif(t.until, 'infinity')"), "t.until")}, CASE WHEN t.until <= :at THEN t.ended ELSE 'open' END
    """,
}
_BEGINS: Final = {
    "account": "t.created_at",
    "hold": "t.placed_at",
    "phase": "t.at",
    "project": "t.registered_at",
    "binding": "t.since",
}


@dataclass(slots=True)
class Digest:
    """Of one organization, or of all where that is None; with how many rows of each kind went in."""

    organization: str | None
    high: int = 0
    low: int = 0
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))

    def add(self, other: "Digest") -> None:
        """What both hold together."""
        self.high = (self.high + other.high) % _64_BITS
        self.low = (self.low + other.low) % _64_BITS
        for kind, count in other.rows.items():
            self.rows[kind] += count

    def __str__(self) -> str:
        return f"{self.high:016x}{self.low:016x}"


def _statement(at: Instant | None) -> str:
    parts = []
    for kind in KINDS:
        columns, begun = (_NOW[kind], "") if at is None else (_THEN[kind], f" AND {_BEGINS[kind]} <= :at")
        parts.append(
            f"""
            SELECT t.organization, '{kind}' AS kind,
                encode(sha256(convert_to(CAST(jsonb_build_array({columns}) AS text), 'UTF8')), 'hex') AS hash
            FROM {_TABLES[kind]} AS t WHERE ONLY(t){begun}
            """
        )
    counts = ", ".join(f"count(*) FILTER (WHERE kind = '{kind}')" for kind in KINDS)
    return f"""
        SELECT organization, sum(CAST(CAST('x' || substr(hash, 1, 16) AS bit(64)) AS bigint)),
            sum(CAST(CAST('x' || substr(hash, 17, 16) AS bit(64)) AS bigint)), {counts}
        FROM ({" UNION ALL ".join(parts)}) AS hashed
        GROUP BY organization ORDER BY organization
        """


async def digests(ground: Ground, at: Instant | None = None) -> AsyncIterator[Digest]:
    """The digest of each organization that has anything, in byte order; their sum is that of all."""
    parameters = {} if at is None else {"at": at}
    async for row in ground.select(ground.scoped(_statement(at)), **parameters):
        organization, high, low, *counts = tuple(row)
        rows = dict(zip(KINDS, counts, strict=True))
        yield Digest(organization, int(high) % _64_BITS, int(low) % _64_BITS, rows)
        await ground.did(sum(counts))
    await ground.tell()
