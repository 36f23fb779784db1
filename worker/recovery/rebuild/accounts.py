"""Accounts of one partition of their events, folded: what is over is written at once, what stands when it is asked for.

Only the accounts that stand are kept in memory, and of those no more than a limit: the others are in the database.
"""

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain import accounts as domain
from worker.domain.accounts import Account, Usage
from worker.domain.book import Book, Key, Recorded
from worker.domain.events import AccountEvent, HoldPlaced, HoldReleased, PhaseChanged
from worker.domain.values import Hold, Instant
from worker.folding.events import follow
from worker.store import accounts, holds
from worker.store.account_columns import KEY, VALUES, row_of
from worker.store.columns import copy_into
from worker.wire.partitions import partition_of
from worker.wire.published import PublishedEvent

ACCOUNTS: Final = (*KEY, *VALUES, "lane", "created_at")
_PHASES: Final = ("organization", "account", "sequence", "at", "phase", "reason")
HOLDS: Final = (
    *("organization", "account", "sequence", "hold", "reason", "message", "blocks_rebind", "derived"),
    *("placed_by", "placed_at", "released_at", "released_by", "approval_by", "approval_reference", "automatic"),
)
NOT_YET: Final = (None, None, None, None, False)
_NOBODY: Final = Usage()


@dataclass(slots=True)
class _Held:
    """An account, and by which event each of its active holds was placed that the database does not have yet."""

    account: Account | None = None
    created_at: Instant | None = None
    placed: dict[str, int] = field(default_factory=dict)
    is_stored: bool = False
    is_changed: bool = False


class Accounts:
    """The accounts of one partition."""

    def __init__(self, book: Book, partitions: int, *, may_be_stored: bool) -> None:
        """`book` is an empty one, to load into; `may_be_stored`: the database may know some already."""
        self._book = book
        self._partitions = partitions
        self.may_be_stored = may_be_stored
        self._held: dict[Key, _Held] = {}
        self._phases: list[tuple[object, ...]] = []
        self._holds: list[tuple[object, ...]] = []
        self._lifted: list[Recorded] = []

    @property
    def count(self) -> int:
        """How many are kept in memory."""
        return len(self._held)

    async def look_up(self, connection: AsyncConnection, events: list[PublishedEvent]) -> None:
        """Know those that the events are about, as far as the database has them."""
        unknown = {key for told in events if (key := _key(told)) not in self._held}
        if unknown:
            await accounts.load(connection, self._book, unknown)
            for key in unknown:
                if (account := self._book.accounts.pop(key)) is not None:
                    self._held[key] = _Held(account, is_stored=True)
            self._book.usage.clear()

    def fold(self, told: PublishedEvent) -> bool:
        """Let an event happen; False if it had before. Raises SequenceGapError if it does not follow."""
        event, key = told.event, _key(told)
        held = self._held.get(key) or self._held.setdefault(key, _Held())
        before = held.account
        if told.sequence <= follow(before.sequence if before else 0, told):
            return False
        assert isinstance(event, AccountEvent)  # noqa: S101  `_key` has seen to it
        held.account = domain.evolve(before, event, told.organization, told.at)
        held.is_changed = True
        match event:
            case PhaseChanged():
                self._phases.append((*key, told.sequence, event.at, event.entered, event.reason))
            case HoldPlaced():
                held.placed[event.hold.id] = told.sequence
            case HoldReleased():
                self._release(held, before, told, event)
            case _:
                held.created_at = told.at if before is None else held.created_at
        return True

    async def write_past(self, connection: AsyncConnection) -> None:
        """Write what is over, whoever it happened to."""
        phases, self._phases = self._phases, []
        past, self._holds = self._holds, []
        await copy_into(connection, "phases", _PHASES, phases)
        if past:
            await copy_into(connection, "holds", HOLDS, past)

    async def write_present(self, connection: AsyncConnection, subjects_max: int) -> None:
        """Write what stands, and forget it if that is too much."""
        await self.write_past(connection)
        changed = {key: held for key, held in self._held.items() if held.is_changed and held.account}
        await self._write_changed(connection, [key for key, held in changed.items() if held.is_stored])
        new = [(key, held) for key, held in changed.items() if not held.is_stored]
        rows = [self._row(key, held) for key, held in new]
        await copy_into(connection, "accounts", ACCOUNTS, rows)
        active = [row for key, held in changed.items() for row in _active(key, held)]
        if active:
            await copy_into(connection, "holds", HOLDS, active)
        for held in changed.values():
            held.is_stored, held.is_changed = True, False
            held.placed.clear()
        if len(self._held) > subjects_max:
            self._held.clear()
            self.may_be_stored = True

    async def _write_changed(self, connection: AsyncConnection, keys: list[Key]) -> None:
        lifted, self._lifted = self._lifted, []
        await holds.save(connection, lifted)
        for key in keys:
            self._book.accounts[key] = self._held[key].account
        await accounts.save(connection, self._book, {}, keys, lane=0)
        self._book.accounts.clear()

    def _release(self, held: _Held, before: Account | None, told: PublishedEvent, event: HoldReleased) -> None:
        sequence = held.placed.pop(event.hold.id, None)
        if sequence is None:
            self._lifted.append(Recorded(told.organization, event, told.sequence, told.at))
            return
        hold = next(hold for hold in (before.holds if before else ()) if hold.id == event.hold.id)
        approval = event.approval
        released = (
            *(told.at, event.released_by),
            *((approval.by, approval.reference) if approval else (None, None)),
            event.automatic,
        )
        self._holds.append((*hold_columns(_key(told), sequence, hold), *released))

    def _row(self, key: Key, held: _Held) -> tuple[object, ...]:
        assert held.account is not None  # noqa: S101  it is among the changed
        return (*row_of(held.account, _NOBODY), partition_of(key[0], self._partitions), held.created_at)


def _key(told: PublishedEvent) -> Key:
    assert isinstance(told.event, AccountEvent)  # noqa: S101  of a topic of accounts
    return told.organization, told.event.account


def _active(key: Key, held: _Held) -> list[tuple[object, ...]]:
    assert held.account is not None  # noqa: S101  it is among the changed
    placed = held.placed
    return [(*hold_columns(key, placed[hold.id], hold), *NOT_YET) for hold in held.account.holds if hold.id in placed]


def hold_columns(key: Key, sequence: int, hold: Hold) -> tuple[object, ...]:
    """The columns of a hold until it is released."""
    return (
        *key,
        sequence,
        hold.id,
        hold.reason,
        hold.message,
        hold.blocks_rebind,
        hold.derived,
        hold.placed_by,
        hold.placed_at,
    )
