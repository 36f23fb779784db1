"""Rows from the compacted topics alone: accounts and projects as they stand, and no more of their past than they carry.

What a state does not tell is supposed: an account begins with the earliest instant that its record names, active holds
were placed in their order, a project was told that its payer is at risk if the payer is Suspended, and no notice is
owed. Phases, released holds, and intervals before the last 200 are gone.
"""

from collections.abc import AsyncGenerator, Callable
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.accounts import Account, Usage
from worker.domain.due import project_due_at
from worker.domain.projects import Project
from worker.domain.values import BindingEnd, Rules
from worker.recovery.rebuild.accounts import ACCOUNTS, HOLDS, NOT_YET, hold_columns
from worker.recovery.rebuild.projects import CLOSED, OPEN, PROJECTS
from worker.recovery.rebuild.reading import Unit
from worker.store.account_columns import row_of
from worker.store.bindings import ENDS
from worker.store.columns import copy_into
from worker.wire.outgoing import Topic
from worker.wire.partitions import partition_of
from worker.wire.published_states import read_account, read_project

_NOBODY: Final = Usage()

Reading = AsyncGenerator[tuple[Any, int], None]


async def newest(read: Callable[[Unit], Reading], unit: Unit) -> frozenset[int]:
    """Where the newest record of each key lies; of a key that was removed there is none."""
    offsets: dict[bytes, int] = {}
    async for records, _ in read(unit):
        for record in records:
            if record.value is None:
                offsets.pop(record.key, None)
            else:
                offsets[record.key] = record.offset
    return frozenset(offsets.values())


class States:
    """The newest records of one partition, as rows."""

    def __init__(self, topic: Topic, offsets: frozenset[int], rules: Rules, partitions: int) -> None:
        self._is_accounts = topic is Topic.ACCOUNTS
        self._offsets = offsets
        self._rules = rules
        self._partitions = partitions
        self._subjects: list[tuple[object, ...]] = []
        self._holds: list[tuple[object, ...]] = []
        self._open: list[tuple[object, ...]] = []
        self._closed: list[tuple[object, ...]] = []

    def take(self, offset: int, value: bytes | None) -> bool:
        """Read a record; False if a newer one of its key follows."""
        if offset not in self._offsets:
            return False
        if self._is_accounts:
            self._take_account(read_account(value))
        else:
            self._take_project(read_project(value))
        return True

    async def write(self, connection: AsyncConnection) -> None:
        """Write what was taken. More may be taken meanwhile, and is left for the next time."""
        subjects, holds, closed, open_ = self._subjects, self._holds, self._closed, self._open
        self._subjects, self._holds, self._closed, self._open = [], [], [], []
        table, columns = ("accounts", ACCOUNTS) if self._is_accounts else ("projects", PROJECTS)
        for name, of_table, rows in (
            (table, columns, subjects),
            ("holds", HOLDS, holds),
            ("bindings", CLOSED, closed),
            ("bindings", OPEN, open_),
        ):
            if rows:
                await copy_into(connection, name, of_table, rows)

    def _take_account(self, account: Account) -> None:
        key = account.organization, account.id
        known = [account.phase_since, account.activated_at, account.deleted_at, *(h.placed_at for h in account.holds)]
        created_at = min(at for at in known if at is not None)
        lane = partition_of(account.organization, self._partitions)
        self._subjects.append((*row_of(account, _NOBODY), lane, created_at))
        self._holds += [(*hold_columns(key, place, hold), *NOT_YET) for place, hold in enumerate(account.holds, 1)]

    def _take_project(self, project: Project) -> None:
        key = project.organization, project.id
        lane = partition_of(project.organization, self._partitions)
        risk = project.locked, project.at_risk, project.deleted_at, project.tombstoned
        due_at = project_due_at(project, self._rules)
        self._subjects.append((*key, lane, project.sequence, project.registered_at, *risk, due_at))
        before: tuple[object, object] = (None, None)
        for interval in project.closed:
            span = interval.since, interval.until, ENDS[interval.end]
            self._closed.append((*key, *span, *before, interval.binding, interval.account, interval.currency))
            is_heir_next = interval.end is BindingEnd.SUPERSEDED
            before = interval.until, "superseded" if is_heir_next else "released"
        if (binding := project.open) is not None:
            self._open.append((*key, binding.since, *before, binding.id, binding.account, binding.currency))
