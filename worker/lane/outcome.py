"""What a batch brings about: to be saved, to be published, to be counted."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from worker.domain.book import Recorded
from worker.domain.values import Instant
from worker.lane.needs import Incoming
from worker.store.inbox import InboxRow
from worker.store.journal_rows import JournalRow
from worker.wire.journal import pack_headers
from worker.wire.outgoing import Outgoing, Topic


@dataclass(slots=True)
class Outcome:
    """As far as the batch has come: `decided` records.

    `due_at` is the earliest instant at which something falls due that was not looked up; what the batch brought about
    itself is among that. `outcomes` are those of the records, in their order: accepted, rejected, evaluated, duplicate,
    dead_letter or tick.
    """

    decided: int = 0
    due_at: Instant | None = None
    recorded: list[Recorded] = field(default_factory=list)
    journal: list[JournalRow] = field(default_factory=list)
    outgoing: list[Outgoing] = field(default_factory=list)
    inbox: list[InboxRow] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    dead_letters: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)

    def append(self, item: Incoming, records: Sequence[Outgoing]) -> None:
        """Put the records of one command down, in the order in which they go out."""
        offset, at = item.record.offset, item.at
        self.decided += 1
        self.outgoing += records
        for index, (topic, key, value, headers, _) in enumerate(records):
            kept = pack_headers(headers) if topic is Topic.DEAD_LETTERS else None  # the value tells of all others
            self.journal.append(JournalRow(offset, index, at, topic, key, value, kept))

    def is_due(self, at: Instant) -> bool:
        """Whether something is due by an instant that was not looked up."""
        return self.due_at is not None and self.due_at <= at

    def fall_due_by(self, at: Instant | None) -> None:
        """Something falls due at an instant (None: nothing)."""
        if at is not None and (self.due_at is None or at < self.due_at):
            self.due_at = at
