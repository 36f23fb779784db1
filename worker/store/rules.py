"""The rule settings that hold from an offset on, so that a command decided again is judged by the same ones."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.values import HoldReason, Rules

_IN_FORCE = text(
    "SELECT rules::text FROM rules WHERE lane = :lane AND from_offset <= :at_offset ORDER BY from_offset DESC LIMIT 1"
)
_ALL = text("SELECT from_offset, rules::text FROM rules WHERE lane = :lane ORDER BY from_offset")
_HOLD_FROM = text(
    """
    INSERT INTO rules (lane, from_offset, rules) VALUES (:lane, :from_offset, CAST(:rules AS jsonb))
    ON CONFLICT (lane, from_offset) DO UPDATE SET rules = excluded.rules
    """
)


async def in_force(connection: AsyncConnection, lane: int, offset: int) -> Rules | None:
    """The rules by which the command at an offset is judged; None before the first were noted."""
    written = (await connection.execute(_IN_FORCE, {"lane": lane, "at_offset": offset})).scalar_one_or_none()
    return _rules(json.loads(written)) if written else None


async def read_all(connection: AsyncConnection, lane: int) -> list[tuple[int, Rules]]:
    """All rules of a lane with the offsets from which they hold, in order."""
    rows = await connection.execute(_ALL, {"lane": lane})
    return [(from_offset, _rules(json.loads(written))) for from_offset, written in rows]


async def hold_from(connection: AsyncConnection, lane: int, offset: int, rules: Rules) -> None:
    """Let rules hold from a lane's next offset on. Nothing is written when they hold already."""
    if await in_force(connection, lane, offset) != rules:
        written = json.dumps(_written(rules))
        await connection.execute(_HOLD_FROM, {"lane": lane, "from_offset": offset, "rules": written})


def _written(rules: Rules) -> dict[str, object]:
    return {
        "paymentProfileRequired": rules.payment_profile_required,
        "strictRegistry": rules.strict_registry,
        "suspensionNoticeMicroseconds": rules.suspension_notice // timedelta(microseconds=1),
        "moveProjectsMax": rules.move_projects_max,
        "tombstoneAfterMicroseconds": rules.tombstone_after // timedelta(microseconds=1),
        "approvalNotNeededFor": sorted(rules.approval_not_needed_for),
    }


def _rules(written: Mapping[str, Any]) -> Rules:
    return Rules(
        payment_profile_required=written["paymentProfileRequired"],
        strict_registry=written["strictRegistry"],
        suspension_notice=timedelta(microseconds=written["suspensionNoticeMicroseconds"]),
        move_projects_max=written["moveProjectsMax"],
        tombstone_after=timedelta(microseconds=written["tombstoneAfterMicroseconds"]),
        approval_not_needed_for=frozenset(HoldReason(reason) for reason in written["approvalNotNeededFor"]),
    )
