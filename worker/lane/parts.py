"""What all lanes of one worker share."""

from collections.abc import Sequence
from dataclasses import field
from uuid import UUID

from worker.domain.counts import Counts, CutOver
from worker.domain.value import value
from worker.lane.ports import Database, Topics
from worker.lane.sending import TopicNames
from worker.lane.tracing import Traces
from worker.lane.turns import Turns
from worker.settings import Settings
from worker.store.lanes import Lane
from worker.wire.horizons import Horizon, counts_header
from worker.wire.outgoing import Outgoing
from worker.wire.writer import Writer


@value
class Parts:
    """Put together once, in `app`. `cut_overs` are those on record, the oldest first. Without `traces` they are off."""

    settings: Settings
    database: Database
    topics: Topics
    installation: UUID
    partitions: int
    names: TopicNames
    writer: Writer
    cut_overs: Sequence[CutOver] = ()
    turns: Turns = field(default_factory=Turns, compare=False)
    traces: Traces | None = None

    def horizon(self, lane: Lane) -> Outgoing:
        """What the topics are told of a lane that has come this far."""
        horizon = Horizon(lane.latest_at, lane.next_offset, lane.epoch, self.installation)
        told = self.writer.horizon(self.settings.topics.commands, lane.partition, horizon)
        counts = counts_header(Counts(self.partitions, self.cut_overs), lane.partition)
        return told._replace(headers=(*told.headers, counts))
