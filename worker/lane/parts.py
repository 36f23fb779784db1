"""What all lanes of one worker share."""

from uuid import UUID

from worker.domain.value import value
from worker.lane.ports import Database, Topics
from worker.lane.publisher import TopicNames
from worker.settings import Settings
from worker.store.lanes import Lane
from worker.wire.horizons import Horizon
from worker.wire.outgoing import Outgoing
from worker.wire.writer import Writer


@value
class Parts:
    """Put together once, in `app`."""

    settings: Settings
    database: Database
    topics: Topics
    installation: UUID
    partitions: int
    names: TopicNames
    writer: Writer

    def horizon(self, lane: Lane) -> Outgoing:
        """What the topics are told of a lane that has come this far."""
        horizon = Horizon(lane.latest_at, lane.next_offset, lane.epoch, self.installation)
        return self.writer.horizon(self.settings.topics.commands, lane.partition, horizon)
