"""A stretch of one project's history without holes: who paid over which interval."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from sys import intern
from typing import Any, NamedTuple

from schemas.events import BindingEstablished, BindingReleased, BindingSuperseded, ProjectDeleted
from schemas.state import TIMELINE_CLOSED_MAX
from schemas.subscriber.reading import KINDS, Change, instant

_ENDS = {BindingSuperseded.TYPE, BindingReleased.TYPE}


class Period(NamedTuple):
    """One binding over [since, until); None: open."""

    binding: str
    account: str
    currency: str
    since: str
    until: str | None


@dataclass(slots=True)
class Timeline:
    """What is known from `since` on (None: from the beginning), for every instant before `through`.

    `sequence` is that of the last event in it. One that is empty waits for the first event of all.
    """

    sequence: int = 0
    since: str | None = None
    through: str = ""
    periods: list[Period] = field(default_factory=list)
    deleted_at: str | None = None

    def fold(self, change: Change) -> bool:
        """Add the next event. False, and nothing has changed, if it is unknown here or contradicts what is known."""
        kind, data = change.kind, change.data
        if kind not in KINDS or change.at < self.through:
            return False
        paying = self.periods[-1] if self.periods and self.periods[-1].until is None else None
        try:
            if kind == BindingEstablished.TYPE:
                if paying is not None:
                    return False
                self.periods.append(_period(data, None))
            elif kind in _ENDS:
                if paying is None or paying.binding != data["binding"]:
                    return False
                self.periods[-1] = paying._replace(until=instant(data["until"]))
            elif kind == ProjectDeleted.TYPE:
                self.deleted_at = change.at
        except (KeyError, TypeError):
            raise ValueError("an event without what its type demands") from None
        self.sequence, self.through = change.sequence, change.at
        return True

    def paid(self, at: str) -> Period | None:
        """Who paid at an instant that this timeline reaches."""
        n = bisect_right(self.periods, at, key=attrgetter("since"))
        if not n:
            return None
        period = self.periods[n - 1]
        return period if period.until is None or at < period.until else None


def read_timeline(change: Change) -> Timeline:
    """The timeline in a compacted record. One with fewer closed intervals than it may have was never cut."""
    try:
        data = change.data
        periods = [_period(entry, entry["until"]) for entry in data["timeline"]]
        is_cut = sum(period.until is not None for period in periods) >= TIMELINE_CLOSED_MAX
        since = data["timelineSince"] if is_cut else None
        return Timeline(change.sequence, since and instant(since), change.at, periods, data.get("deletedAt"))
    except (KeyError, TypeError, AttributeError):
        raise ValueError("not the state of a project") from None


def joined(old: Timeline, new: Timeline) -> Timeline | None:
    """One timeline of two, the older first; None if something between them is missing."""
    if new.since is None or (old.since is not None and old.since >= new.since):
        return new
    if old.through <= new.since:
        return None
    kept = [period for period in old.periods if period.since < new.since]
    if any(period.until is None or period.until > new.since for period in kept):
        return None
    return Timeline(new.sequence, old.since, new.through, kept + new.periods, new.deleted_at)


def _period(data: Mapping[str, Any], until: str | None) -> Period:
    ends_at = None if until is None else instant(until)
    account, currency = intern(data["account"]), intern(data["currency"])  # few, and in every period
    return Period(data["binding"], account, currency, instant(data["since"]), ends_at)
