"""PostgreSQL's side: sessions, the lock on a lane's row, transactions that end when their session does."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy.exc import DBAPIError, OperationalError

from tests.simulation.loop import Process
from tests.simulation.network import PENDING, Request, Server
from tests.simulation.tables import Staged, Tables
from tests.simulation.world import World
from worker.settings import Settings
from worker.store.lanes import Lane

STATES = ("40001", "40P01", "55P03", "57014", "53200")
"""SQLSTATEs of what may befall any statement: serialization, deadlock, lock timeout, cancelled, out of memory."""


class StatementFailed(Exception):  # noqa: N818 - as the driver's are named
    """The driver's own exception."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__(f"statement failed with {sqlstate}")
        self.sqlstate = sqlstate


class SessionLost(Exception):  # noqa: N818
    """The connection is gone."""


def lost() -> OperationalError:
    """What the driver raises on a connection that is gone."""
    return OperationalError("", None, SessionLost("connection was closed in the middle of operation"))


def rejected(world: World) -> DBAPIError:
    """A statement that failed through no fault of its own."""
    return DBAPIError("", None, StatementFailed(STATES[int(world.draw() * len(STATES))]))


class Session:
    """One connection's, with its transaction."""

    __slots__ = ("idle_since", "is_alive", "locks", "owner", "staged")

    def __init__(self, owner: Process | None) -> None:
        self.owner = owner
        self.staged = Staged()
        self.locks: set[int] = set()
        self.is_alive = True
        self.idle_since = 0.0


class Waiting(NamedTuple):
    """Somebody who waits for a lane's row."""

    session: Session
    request: Request
    go_on: Callable[[], None]


@dataclass
class Postgres:
    """The server."""

    world: World
    settings: Settings
    server: Server = field(init=False)
    tables: Tables = field(default_factory=Tables)
    sessions: list[Session] = field(default_factory=list)
    holders: dict[int, Session] = field(default_factory=dict)
    waiting: dict[int, list[Waiting]] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    took: set[tuple[str, int]] = field(default_factory=set)
    worked: set[tuple[str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.server = Server("postgres", refused=lost, timed_out=TimeoutError, rejected=rejected)

    def open(self, owner: Process | None) -> Session:
        """A connection from the pool, nothing sent yet."""
        session = Session(owner)
        self.sessions.append(session)
        return session

    def end(self, session: Session) -> None:
        """The connection is closed: whatever was not committed is undone."""
        if not session.is_alive:
            return
        session.is_alive = False
        self.sessions.remove(session)
        for queue in self.waiting.values():
            for entry in [each for each in queue if each.session is session]:
                queue.remove(entry)
                entry.request.fail(lost())
        self._unlock(session)

    def end_all(self, owner: Process | None = None) -> None:
        """End every session (of one process)."""
        for session in list(self.sessions):
            if owner is None or session.owner is owner:
                self.end(session)

    def stands(self, lane: Lane) -> bool:
        """Whether the row is where its owner thinks it is: the fence."""
        row = self.tables.lanes.get(lane.partition)
        return row is not None and (row.epoch, row.next_offset) == (lane.epoch, lane.next_offset)

    def assigned(self, owner: Process) -> None:
        """The group has given a process (other) partitions: it may take lanes."""
        self.took = {pair for pair in self.took if pair[0] != owner.name}
        self.worked = {pair for pair in self.worked if pair[0] != owner.name}

    def take(self, owner: Process | None, partition: int) -> None:
        """A process begins a new epoch. One that has worked under another must have been assigned the lane anew."""
        if owner is None:
            return
        self.took.add((owner.name, partition))
        if (owner.name, partition) in self.worked:
            self.world.alarms.append(f"{owner} took lane {partition} again, though it was its own")

    def lock(self, session: Session, partition: int, request: Request, then: Callable[[], Any]) -> Any:
        """Do something with a lane's row as soon as it is locked; the answer may have to wait for that."""
        holder = self.holders.get(partition)
        if holder is None or holder is session:
            self.holders[partition] = session
            session.locks.add(partition)
            return then()
        queue = self.waiting.setdefault(partition, [])
        entry = Waiting(session, request, lambda: self._granted(session, partition, request, then))
        queue.append(entry)
        self.world.note("waits for lane", str(partition))
        if request.patience is not None:
            self.world.loop.later(request.patience, self._give_up, partition, entry)
        self._mind(partition, holder)
        return PENDING

    def commit(self, session: Session, partition: int) -> None:
        """Make what was written last, if nothing speaks against it by now."""
        staged = session.staged
        try:
            staged.check(self.tables, partition)
        except Exception as error:
            self.violations.append(str(error))
            raise
        if staged.journal and session.owner is not None and (session.owner.name, partition) in self.took:
            self.worked.add((session.owner.name, partition))
        staged.apply(self.tables, partition)
        session.staged = Staged()
        self._unlock(session)

    def roll_back(self, session: Session) -> None:
        """Undo, and keep the connection."""
        session.staged = Staged()
        self._unlock(session)

    def _granted(self, session: Session, partition: int, request: Request, then: Callable[[], Any]) -> None:
        self.holders[partition] = session
        session.locks.add(partition)
        session.idle_since = self.world.loop.time()
        try:
            request.answer(then())
        except Exception as error:  # noqa: BLE001 - it is the answer
            request.fail(error)

    def _unlock(self, session: Session) -> None:
        for partition in sorted(session.locks):
            del self.holders[partition]
            queue = self.waiting.get(partition, [])
            if queue:
                queue.pop(0).go_on()
            if queue and partition in self.holders:
                self._mind(partition, self.holders[partition])
        session.locks.clear()

    def _give_up(self, partition: int, entry: Waiting) -> None:
        queue = self.waiting[partition]
        if entry in queue:
            queue.remove(entry)
            entry.request.fail(TimeoutError())

    def _mind(self, partition: int, holder: Session) -> None:
        """End a worker's session that holds up others and does nothing."""
        if holder.owner is None:
            return
        seconds = self.settings.database.idle_in_transaction_seconds_max
        self.world.loop.at(holder.idle_since + seconds, self._end_if_idle, partition, holder)

    def _end_if_idle(self, partition: int, holder: Session) -> None:
        if self.holders.get(partition) is not holder:
            return
        seconds = self.settings.database.idle_in_transaction_seconds_max
        if self.world.loop.time() >= holder.idle_since + seconds:
            self.world.inject("idle in transaction")
            self.end(holder)
        else:
            self._mind(partition, holder)
