"""What may be forgotten in such a worker, each as a patch; and who notices."""

from collections.abc import Sequence
from typing import NamedTuple

from tests.mutants import scenarios
from tests.mutants.patches import Patch
from tests.mutants.scenarios import Scenario

WATCHER = "watcher"


class Mutant(NamedTuple):
    """A worker that forgets something, the scenario in which that shows, and the claim that it breaks.

    The worker has more than one line of defence. Where the next one keeps every claim, the scenario's watcher tells
    that it was needed.
    """

    patches: Sequence[Patch]
    scenario: Scenario
    caught_by: str


_MOVE_BY_PARTITION_ALONE = Patch(
    "store/lanes.py",
    "    WHERE partition = :partition AND epoch = :epoch AND next_offset = :expected_offset\n",
    "    WHERE partition = :partition\n",
)
_MOVE_WITHOUT_POSITION = Patch(
    "store/lanes.py",
    "    WHERE partition = :partition AND epoch = :epoch AND next_offset = :expected_offset\n",
    "    WHERE partition = :partition AND epoch = :epoch\n",
)
_TAKE_WITHOUT_LOCK = Patch(
    "store/database.py",
    "            lane = await lanes.take(connection, partition, first_offset=first_offset, above=above)\n",
    "            seen = await lanes.read(connection, partition)\n"
    "            lane = await lanes.take(connection, partition, first_offset=first_offset, above=above)\n"
    "            if seen is not None:\n"
    "                import dataclasses\n"
    "                lane = dataclasses.replace(seen, epoch=lane.epoch)\n",
)

MUTANTS = {
    "drop the fence of the lane's row": Mutant(
        [_MOVE_BY_PARTITION_ALONE], scenarios.a_zombie_with_a_tick_in_hand, caught_by="E9"
    ),
    "drop the fence of the producer": Mutant(
        [
            Patch(
                "lane/publisher.py",
                'transactional_id=f"{installation}-{lane}")',
                'transactional_id=f"{installation}-{lane}-{id(self)}")',
            )
        ],
        scenarios.a_zombie_between_commit_and_publishing,
        caught_by="E7",
    ),
    "commit the offset first, and start from the group's": Mutant(
        [
            Patch(
                "lane/lane.py",
                "            records = self._buffer.take()\n",
                "            records = self._buffer.take()\n"
                "            self._flow.tell(records[-1].offset + 1)\n"
                "            await asyncio.sleep(0.5)\n",
            ),
            Patch("lane/intake.py", "        await asyncio.sleep(TELL_SECONDS)\n", ""),
            Patch(
                "lane/takeover.py",
                "        lane = await _publish_journal(parts, publisher, lane, watermark)\n",
                "        lane = await _publish_journal(parts, publisher, lane, watermark)\n"
                "        told = (await parts.topics.group_offset(partition)).offset\n"
                "        lane = replace(lane, next_offset=max(lane.next_offset, told))\n",
            ),
            _MOVE_WITHOUT_POSITION,
        ],
        scenarios.a_worker_killed_before_commit,
        caught_by="E1",
    ),
    "publish before COMMIT": Mutant(
        [
            Patch(
                "lane/batch.py",
                "_NO_DEFECTS: Mapping[int, str] = {}\n",
                "_NO_DEFECTS: Mapping[int, str] = {}\n"
                'import contextvars\nPUBLISH = contextvars.ContextVar("publish")\n',
            ),
            Patch(
                "lane/batch.py",
                "        await pass_by(Failpoint.BEFORE_COMMIT)\n",
                "        now = Handover(outcome.outgoing, after.next_offset, parts.horizon(after))\n"
                "        await PUBLISH.get()([now])\n"
                "        await pass_by(Failpoint.BEFORE_COMMIT)\n",
            ),
            Patch(
                "lane/lane.py",
                "        deciding = asyncio.create_task(uncancelled(self._decide(standing, handovers)))\n",
                "        from worker.lane.batch import PUBLISH\n"
                "        PUBLISH.set(publisher.publish)\n"
                "        deciding = asyncio.create_task(uncancelled(self._decide(standing, handovers)))\n",
            ),
            Patch(
                "lane/lane.py",
                "self._published = last.next_offset, await publisher.publish(handovers)",
                "self._published = last.next_offset, None",
            ),
        ],
        scenarios.a_worker_killed_before_commit,
        caught_by=WATCHER,
    ),
    # There is no id to poll by: the journal's order is the log's. What such a poller does wrong is to believe that
    # nothing comes any more behind what it sees, so this one looks before it waits for the transaction in flight.
    "poll by id, and skip what commits late": Mutant(
        [
            Patch(
                "lane/takeover.py",
                "            lane, due_at, room_until = await _take(",
                "            first = watermark.offset if watermark else 0\n"
                "            polled = parts.database.journal(partition, first, 2**62, rows_max=JOURNAL_ROWS_MAX)\n"
                "            polled = [rows async for rows in polled] if known else []\n"
                "            lane, due_at, room_until = await _take(",
            ),
            Patch(
                "lane/takeover.py",
                "        lane = await _publish_journal(parts, publisher, lane, watermark)\n",
                "        lane = await _publish_journal(parts, publisher, lane, watermark, polled)\n",
            ),
            Patch(
                "lane/takeover.py",
                "lane: Lane, watermark: Watermark | None) -> Lane:\n"
                '    """Publish what was committed and not published.',
                "lane: Lane, watermark: Watermark | None, polled: list) -> Lane:\n"
                '    """Publish what was committed and not published.',
            ),
            Patch(
                "lane/takeover.py",
                "    async for rows in parts.database.journal("
                "partition, published, lane.next_offset, rows_max=JOURNAL_ROWS_MAX):\n",
                "    for rows in polled:\n",
            ),
        ],
        scenarios.a_zombie_about_to_commit,
        caught_by="E5",
    ),
    "forget the inbox": Mutant(
        [
            Patch("store/database.py", "            ids=ids,\n", ""),
            Patch(
                "store/database.py",
                "        await books.save(self._connection, book, recorded, used, lane=partition)\n",
                "        await books.save(self._connection, book, recorded, lane=partition)\n",
            ),
        ],
        scenarios.a_publisher_that_repeats_itself,
        caught_by="E1",
    ),
    "read the watermark before fencing": Mutant(
        [
            Patch("lane/takeover.py", "        await publisher.start()\n", ""),
            Patch(
                "lane/takeover.py",
                "            await pass_by(Failpoint.TAKE_OVER_WATERMARK_READ)\n",
                "            await pass_by(Failpoint.TAKE_OVER_WATERMARK_READ)\n            await publisher.start()\n",
            ),
        ],
        scenarios.a_zombie_that_publishes_while_the_watermark_is_read,
        caught_by="E7",
    ),
    "read the position without its lock": Mutant(
        [_TAKE_WITHOUT_LOCK], scenarios.a_zombie_about_to_commit, caught_by=WATCHER
    ),
    "read the position without its lock, and never look again": Mutant(
        [
            _TAKE_WITHOUT_LOCK,
            _MOVE_WITHOUT_POSITION,
            Patch(
                "lane/takeover.py",
                "    if row is None or (row.epoch, row.next_offset) != (lane.epoch, lane.next_offset):\n",
                "    if row is None:\n",
            ),
            Patch("store/journal.py", "_FEW: Final = 64\n", "_FEW: Final = 0\n"),
            Patch(
                "store/journal.py",
                "        await copy_encoded(connection, _table(lane), JournalRow._fields, encoded(rows))\n",
                '        first = {"first": rows[0].offset}\n'
                "        await connection.execute("
                "text(f'DELETE FROM {_table(lane)} WHERE \"offset\" >= :first'), first)\n"
                "        await copy_encoded(connection, _table(lane), JournalRow._fields, encoded(rows))\n",
            ),
        ],
        scenarios.a_zombie_about_to_commit,
        caught_by="E5",
    ),
    "forget lane time": Mutant(
        [
            Patch(
                "lane/reading.py",
                "        latest = max(_EPOCH + timedelta(milliseconds=record.timestamp), latest + MICROSECOND)\n",
                "        latest = _EPOCH + timedelta(milliseconds=record.timestamp)\n",
            )
        ],
        scenarios.many_commands_in_a_millisecond,
        caught_by="E10",
    ),
    "take a lane over twice": Mutant(
        [
            Patch(
                "lane/lane.py",
                "            except Fenced:\n"
                "                metrics.FENCED.inc()\n"
                '                self.progress.set(LaneState.FENCED, "another worker owns the lane")\n'
                "                return\n",
                "            except Fenced:\n                self._epoch = None\n",
            )
        ],
        scenarios.a_worker_that_is_not_told_that_its_lanes_are_gone,
        caught_by=WATCHER,
    ),
}
