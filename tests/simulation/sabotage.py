"""The product broken on purpose, in every way that its design forbids: each must be found out by a history."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from tests.simulation.postgres import Postgres
from tests.simulation.tables import Staged
from tests.simulation.transactions import Connection, Transaction, answered, moved
from worker.broker.log import LogReader
from worker.domain.book import Key
from worker.domain.values import Instant
from worker.lane import batch, lane, reading, takeover
from worker.lane.errors import LaneStopped
from worker.lane.needs import Incoming
from worker.lane.ownership import Ownership
from worker.lane.parts import Parts
from worker.lane.publisher import Publisher
from worker.lane.takeover import TakenOver
from worker.lane.watermark import Watermark, read_watermark
from worker.store.lanes import Lane, Moved
from worker.wire.incoming import read

Sabotage = Callable[[pytest.MonkeyPatch], None]


def forget_the_fence(patch: pytest.MonkeyPatch) -> None:
    """Whoever moves the lane's row is taken for its owner."""
    patch.setattr(Postgres, "stands", lambda self, lane: lane.partition in self.tables.lanes)


def leave_the_row_unlocked(patch: pytest.MonkeyPatch) -> None:
    """The position is compared, but its row is not locked until COMMIT."""

    async def move(self: Any, lane: Lane, after: Lane, ids: Collection[Key] = ()) -> Moved | None:
        connection, postgres = self._connection, self._connection.postgres
        self._partition = lane.partition

        def run(_: object) -> Moved | None:
            if not postgres.stands(lane):
                return None
            connection.session.staged.lane = moved(postgres.tables.lanes[lane.partition], after)
            return Moved(postgres.world.now(), answered(postgres.tables, ids))

        done: Moved | None = await connection.execute("move without lock", run)
        return done

    patch.setattr(Transaction, "move", move)


def commit_the_offset_first(patch: pytest.MonkeyPatch) -> None:
    """The position is behind COMMIT before anything is decided."""
    right = Transaction.move

    async def move(self: Any, lane: Lane, after: Lane, ids: Collection[Key] = ()) -> Moved | None:
        done = await right(self, lane, after, ids)
        staged = self._connection.session.staged
        if staged.lane is not None:
            self._connection.postgres.tables.lanes[lane.partition] = staged.lane
        return done

    patch.setattr(Transaction, "move", move)


def publish_before_commit(patch: pytest.MonkeyPatch) -> None:
    """A batch is handed over while its COMMIT is still on the way, and nobody looks whether it came through."""
    close, committing = Connection.close, set[Any]()

    async def commit(self: Any) -> None:
        connection, postgres = self._connection, self._connection.postgres
        if not isinstance(connection, Connection):
            postgres.commit(connection.session, self._partition)
            return
        committing.add(connection)

        def arrive() -> None:
            if connection.session.is_alive:
                postgres.commit(connection.session, self._partition)
                postgres.end(connection.session)

        asyncio.get_running_loop().call_later(0.02, arrive)

    def close_if_done(self: Any) -> None:
        if self not in committing:
            close(self)

    patch.setattr(Transaction, "commit", commit)
    patch.setattr(Connection, "close", close_if_done)


def forget_the_inbox(patch: pytest.MonkeyPatch) -> None:
    """Nobody remembers which ids were used up."""

    right = Transaction.move

    async def move(self: Any, lane: Lane, after: Lane, _ids: Collection[Key] = ()) -> Moved | None:
        return await right(self, lane, after)

    def check(_self: Staged, _tables: object, _partition: int) -> None:
        """The constraint that would tell is gone, too."""

    patch.setattr(Transaction, "move", move)
    patch.setattr(Staged, "check", check)


def forget_lane_time(patch: pytest.MonkeyPatch) -> None:
    """The broker's clock is believed as it is."""

    def read_all(
        records: Sequence[ConsumerRecord], _latest: Instant, partitions: int, command_bytes_max: int
    ) -> tuple[list[Incoming], LaneStopped | None]:
        incoming = []
        for record in records:
            at = reading._EPOCH + timedelta(milliseconds=record.timestamp)  # noqa: SLF001
            what = read(record, partitions=partitions, record_bytes_max=command_bytes_max)
            incoming.append(Incoming(record, at, what))
        return incoming, None

    patch.setattr(batch, "read_all", read_all)


def read_the_watermark_first(patch: pytest.MonkeyPatch) -> None:
    """How far was published is read before the former publisher is shut out."""

    async def take_over(
        parts: Parts, partition: int, epoch: int | None, *, on_taken: Callable[[int], None] = lambda _: None
    ) -> TakenOver:
        publisher = parts.topics.publisher(partition)
        try:
            async with parts.topics.reader() as reader:
                known = await parts.database.read_lane(partition)
                watermark = await read_watermark(parts, reader, partition, known)
                first_offset = (await reader.range_of(TopicPartition(parts.settings.topics.commands, partition))).start
            await publisher.start()
            taken, due_at, room_until = await takeover._take(parts, partition, epoch, first_offset, watermark)  # noqa: SLF001
            on_taken(taken.epoch)
            taken = await takeover._publish_journal(parts, publisher, taken, watermark)  # noqa: SLF001
            return TakenOver(taken, due_at, publisher, room_until)
        except BaseException:
            await publisher.stop()
            raise

    patch.setattr(lane, "take_over", take_over)


def forget_the_journal(patch: pytest.MonkeyPatch) -> None:
    """What was committed and not published stays unpublished."""

    async def publish_journal(parts: Parts, publisher: Publisher, row: Lane, _: Watermark | None) -> Lane:
        publisher.sign(parts.installation, row.epoch)
        return row

    patch.setattr(takeover, "_publish_journal", publish_journal)


def look_past_open_transactions(patch: pytest.MonkeyPatch) -> None:
    """A horizon that lies committed behind somebody else's open transaction is not waited for."""

    async def newest_of_key(self: Any, log: TopicPartition, key: bytes, _: int | None = None) -> ConsumerRecord | None:
        end = (await self._committed.end_offsets([log]))[log]
        newest: ConsumerRecord | None = await self._newest_in(log, key, 0, end)
        return newest

    patch.setattr(LogReader, "newest_of_key", newest_of_key)


def take_over_anew_on_every_error(patch: pytest.MonkeyPatch) -> None:
    """A worker that was disturbed begins a new epoch instead of looking whether the old one is still its own."""
    right = takeover.take_over

    async def take_over(parts: Parts, partition: int, _: int | None, **options: Any) -> TakenOver:
        return await right(parts, partition, None, **options)

    patch.setattr(lane, "take_over", take_over)


def start_from_the_groups_offset(patch: pytest.MonkeyPatch) -> None:
    """The position is taken from where everybody may move it."""
    right = takeover.take_over

    async def take_over(parts: Any, partition: int, epoch: int | None, **options: Any) -> TakenOver:
        taken = await right(parts, partition, epoch, **options)
        offset = (await parts.topics.group_offset(partition)).offset
        if offset < 0:
            return taken
        lanes = parts.database._postgres.tables.lanes  # noqa: SLF001
        lanes[partition] = replace(lanes[partition], next_offset=offset)
        return replace(taken, lane=replace(taken.lane, next_offset=offset))

    patch.setattr(lane, "take_over", take_over)


def leave_lanes_running_when_joining_anew(patch: pytest.MonkeyPatch) -> None:
    """A worker that was fenced joins the group anew, and the lanes that it had go on beside their successors."""
    right = Ownership.release

    async def release(self: Ownership, partitions: Sequence[int] | None = None) -> None:
        if partitions is not None:
            await right(self, partitions)

    patch.setattr(Ownership, "release", release)
