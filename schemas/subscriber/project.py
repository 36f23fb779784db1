"""One project as a subscriber knows it: stretches of its history, and whether the newest is up to date."""

from dataclasses import dataclass, field

from schemas.subscriber.answers import DROPPED, TAKEN, Dropped, Gap, Taken
from schemas.subscriber.reading import Change
from schemas.subscriber.timeline import Timeline, joined, read_timeline


@dataclass(slots=True)
class Project:
    """`stretches`: oldest first, with holes between them; normally there is one.

    `heard_of` is the highest sequence that any event had; `removed`: the compacted topic said that it is long deleted.
    """

    stretches: list[Timeline] = field(default_factory=lambda: [Timeline()])
    heard_of: int = 0
    removed: bool = False

    @property
    def newest(self) -> Timeline:
        """The stretch that events are added to."""
        return self.stretches[-1]

    @property
    def has_gap(self) -> bool:
        """Whether events are missing after the newest stretch."""
        return self.heard_of > self.newest.sequence

    @property
    def is_behind(self) -> bool:
        """Whether it is known that the newest stretch is not the end."""
        return self.has_gap or (self.removed and self.newest.deleted_at is None)

    def event(self, change: Change) -> Taken | Dropped | Gap:
        """Take the next event; drop an earlier one, unless it fills a hole; else note the gap."""
        newest, sequence = self.newest, change.sequence
        if sequence > newest.sequence:
            self.heard_of = max(self.heard_of, sequence)
            if sequence == newest.sequence + 1 and newest.fold(change):
                return TAKEN
            return Gap(change.organization, change.project, newest.sequence, sequence)
        for stretch in self.stretches[:-1]:
            if sequence == stretch.sequence + 1 and stretch.fold(change):
                self._join()
                return TAKEN
        return DROPPED

    def state(self, change: Change) -> Taken | Dropped:
        """Take a state that is not older than what is known. What it does not reach back to stays known."""
        newest = self.newest
        if change.sequence < newest.sequence:
            return DROPPED
        if change.sequence > newest.sequence:
            self.stretches.append(read_timeline(change))
            self._join()
        return TAKEN

    def remove(self) -> None:
        """Note that the compacted record is gone; what was folded stays known."""
        self.removed = True

    def stretch_at(self, at: str) -> Timeline | None:
        """The stretch that tells who paid then, taking the newest to be up to date; None if there is a hole."""
        for stretch in reversed(self.stretches):
            if stretch.since is None or stretch.since <= at:
                return stretch if stretch is self.newest or at < stretch.through else None
        return None

    def _join(self) -> None:
        together = self.stretches[-1:]
        for older in reversed(self.stretches[:-1]):
            whole = joined(older, together[0])
            together[:1] = [older, together[0]] if whole is None else [whole]
        self.stretches = together
