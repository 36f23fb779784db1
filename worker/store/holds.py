"""The history of holds: written when placed, and once more when released."""
# ruff: noqa: S608  the parts that SQL is put together from are constants of this package

from collections.abc import Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.book import Key, Recorded
from worker.domain.events import HoldPlaced, HoldReleased
from worker.store.columns import by_column, found, unnest
from worker.store.errors import StateDiverged

_RELEASE: Final = {
    "released_at": "timestamptz",
    "released_by": "text",
    "approval_by": "text",
    "approval_reference": "text",
    "automatic": "boolean",
}
_PLACED: Final = {
    "organization": "text",
    "account": "text",
    "hold": "text",
    "sequence": "bigint",
    "reason": "text",
    "message": "text",
    "blocks_rebind": "boolean",
    "derived": "boolean",
    "placed_by": "text",
    "placed_at": "timestamptz",
    **_RELEASE,
}
_RELEASED: Final = {"organization": "text", "account": "text", "hold": "text", **_RELEASE}
_NOT_YET: Final = (None, None, None, None, False)

_PLACE = text(f"INSERT INTO holds ({', '.join(_PLACED)}) SELECT * FROM {unnest(_PLACED)}")
_LIFT = text(
    f"""
    UPDATE holds AS h SET {", ".join(f"{name} = new.{name}" for name in _RELEASE)}
    FROM {found("holds", _RELEASED, ["organization", "account", "hold"], among="holds.released_at IS NULL")} AS new
    WHERE h.ctid = new.place
    """
)


async def save(connection: AsyncConnection, recorded: Sequence[Recorded]) -> None:
    """Write what was placed and released; a hold that came and went within the batch is written once, as released."""
    placed: list[tuple[object, ...]] = []
    active: dict[tuple[Key, str], int] = {}
    released: list[tuple[object, ...]] = []
    for entry in recorded:
        match entry.event:
            case HoldPlaced(account=account, hold=hold):
                active[(entry.organization, account), hold.id] = len(placed)
                placed.append((*_placed(entry, account, entry.event), *_NOT_YET))
            case HoldReleased(account=account, hold=hold):
                release = _release(entry, entry.event)
                place = active.pop(((entry.organization, account), hold.id), None)
                if place is None:
                    released.append((entry.organization, account, hold.id, *release))
                else:
                    placed[place] = (*placed[place][: -len(release)], *release)
            case _:
                pass
    if released:
        lifted = await connection.execute(_LIFT, by_column(_RELEASED, released))
        if lifted.rowcount != len(released):
            raise StateDiverged(f"{len(released)} holds released, {lifted.rowcount} of them are active")
    if placed:
        await connection.execute(_PLACE, by_column(_PLACED, placed))


def _placed(entry: Recorded, account: str, event: HoldPlaced) -> tuple[object, ...]:
    hold = event.hold
    return (
        entry.organization,
        account,
        hold.id,
        entry.sequence,
        hold.reason,
        hold.message,
        hold.blocks_rebind,
        hold.derived,
        hold.placed_by,
        hold.placed_at,
    )


def _release(entry: Recorded, event: HoldReleased) -> tuple[object, ...]:
    approval = event.approval
    return (
        entry.at,
        event.released_by,
        approval.by if approval else None,
        approval.reference if approval else None,
        event.automatic,
    )
