"""E2, E6 and E7: what subscribers of either isolation saw, against one reading of the same log afterwards."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.system.checker.marks import Came, Log, digest_of, identity_of


@dataclass
class Reading:
    """One log, read from its beginning by somebody who sees committed records only."""

    name: str
    marks: dict[bytes, bytes]
    """By identity, of all logs of the topic."""
    log: Log = field(default_factory=Log)
    torn: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)

    def see(self, record: Came) -> bool:
        """A record in its turn; whether it is the first of its identity."""
        identity, mark = identity_of(record), digest_of(record)
        self.log.append(record.offset, identity, mark)
        earlier = self.marks.setdefault(identity, mark)
        if earlier is mark:
            return True
        label = f"{self.name}/{record.offset} (key {record.key!r}, id {dict(record.headers).get('ce_id')!r})"
        if earlier == mark:
            self.twice.append(f"{label} is the same record as one before")
        else:
            self.torn.append(f"{label} has the id of a record before it, but other bytes")
        return False


def saw_the_same(name: str, live: Log, after: Log, end: int) -> Iterator[str]:
    """E7: who read during the faults has read what one reads afterwards, in that order, each record once.

    `end` is where the log ended when he was done.
    """
    seen = Counter(live.offsets)
    for offset in (offset for offset, times in seen.items() if times > 1):
        yield f"{name}/{offset} came {seen[offset]} times to a subscriber that was there"
    missed = sorted({offset for offset in after.offsets if offset < end} - set(live.offsets))
    gone = sorted(set(live.offsets) - set(after.offsets))
    for offset in missed:
        yield f"{name}/{offset} never came to a subscriber that was there"
    for offset in gone:
        yield f"{name}/{offset} came to a subscriber that was there, and is not in the log"
    if missed or gone:
        return
    for one, other in zip(live, after, strict=False):
        if one != other:
            yield f"{name}: offset {one.offset} came to a subscriber that was there where {other.offset} lies now"
            return


def shows_what_is_published(name: str, uncommitted: Log, marks: Mapping[bytes, bytes]) -> Iterator[str]:
    """E2: what one sees early or twice is, byte for byte, what is published in the end."""
    for seen in uncommitted:
        if marks.get(seen.identity, seen.mark) != seen.mark:
            yield f"{name}/{seen.offset} has other bytes for who reads uncommitted records than what was published"


def shows_nothing_else(name: str, uncommitted: Log, marks: Mapping[bytes, bytes], end: int) -> Iterator[str]:
    """E6: what one sees early is published in the end: it was behind COMMIT before it was sent.

    `end` is where what is committed ended when it was read.
    """
    for seen in uncommitted:
        if seen.offset < end and seen.identity not in marks:
            yield f"{name}/{seen.offset} was sent and never published: from a transaction that was rolled back"


def repeated(logs: list[Log]) -> int:
    """How many records came once more than needed."""
    times = Counter(seen.identity for log in logs for seen in log)
    return times.total() - len(times)
