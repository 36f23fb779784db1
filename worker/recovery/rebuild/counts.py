"""How many partitions of commands there are, as the horizons of the lanes tell: the database that knew it is lost.

Each horizon tells the number that was declared when it was written, and where its lane stood at every cut-over. A
cut-over tells all lanes before the database declares it. One that only some of them tell of was broken off: nothing was
decided by its number, which does not count then. One that all tell of is as good as done, whether or not it was.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from worker.broker.log import LogReader
from worker.domain.counts import Counts, CutOver
from worker.recovery.rebuild.reading import Published, lanes_of
from worker.settings import Settings
from worker.store import audit
from worker.wire.horizons import LaneCounts

WHO = "billing-worker rebuild"


async def lanes_and_counts(
    settings: Settings, logs: LogReader, given: int | None, present: int | None
) -> tuple[list[Published], Counts]:
    """Every lane that ever published, and the partitions that they tell of.

    `present` are those that the topic of commands has, `given` those that somebody says there are: both count only
    where the horizons, of an older release, do not tell.
    """
    looked_at = max(given or 0, present or 0, settings.topics.partitions)
    lanes = await lanes_of(settings, logs, looked_at)
    told = max((lane.counts.declared for lane in lanes if lane.counts is not None), default=None)
    if told is None:
        return lanes, Counts(given or present or settings.topics.partitions)
    if told > looked_at:  # the topic of commands is lost, or has been made anew with less
        lanes = await lanes_of(settings, logs, told)
    return lanes, counts_of(lanes)


def counts_of(lanes: Sequence[Published]) -> Counts:
    """What is declared, and all cut-overs that were finished, from lanes of which at least one tells."""
    telling = {lane.partition: lane.counts for lane in lanes}
    declared = max(counts.declared for counts in telling.values() if counts is not None)
    stood: dict[int, dict[int, int]] = {}
    for lane, counts in telling.items():
        for offset, partitions in counts.before if counts is not None else ():
            stood.setdefault(partitions, {})[lane] = offset
    while stood and not all(_knows(lane, telling, declared) for lane in range(declared)):
        declared = max(stood)
        del stood[declared]
    return Counts(declared, [CutOver(partitions, offsets) for partitions, offsets in sorted(stood.items())])


def _knows(lane: int, telling: Mapping[int, LaneCounts | None], declared: int) -> bool:
    """Whether a lane does not speak against so many partitions; one that says nothing of them does not."""
    counts = telling.get(lane)
    return lane in telling and (counts is None or counts.declared >= declared)


async def note(connection: AsyncConnection, counts: Counts) -> None:
    """Have the audit tell of the cut-overs again, for whoever goes by them: nobody else would know of them."""
    for cut_over, wanted in zip(counts.cut_overs, counts.ever[1:], strict=True):
        offsets = [cut_over.offsets.get(lane, 0) for lane in range(wanted)]
        arguments = {"partitions": wanted}
        outcome = {"declared": cut_over.partitions, "wanted": wanted, "offsets": offsets, "rebuilt": True}
        await audit.record(connection, WHO, audit.CUT_OVER, arguments, outcome)
