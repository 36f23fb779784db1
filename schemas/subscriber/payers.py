"""Who paid at an instant, folded from the topics about payers. No Kafka client in here: whoever reads hands in records.

For each log the records have to come in the order of their offsets; between logs no order is needed.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from schemas.instants import format_instant, parse_instant
from schemas.partitions import partition_of
from schemas.subscriber import dump
from schemas.subscriber.answers import DROPPED, TAKEN, Answer, Dropped, Gap, Nobody, NotYet, Payer, Taken, Unknown, Why
from schemas.subscriber.horizons import Horizons
from schemas.subscriber.project import Project
from schemas.subscriber.reading import read_change, read_horizon, read_state
from schemas.subscriber.timeline import Period
from schemas.topics import PARTITIONS_DEFAULT


class Payers:
    """What a subscriber knows of all projects.

    `partitions` is the declared count of the command topic: it tells whose horizon speaks for an organization. `whole`:
    `billing.binding-events` is read from its very first records on, so that a project nobody heard of never had a
    payer. Otherwise such a project may be one whose compacted record is long removed, and who paid for it is unknown.
    """

    def __init__(
        self, *, whole: bool, partitions: int = PARTITIONS_DEFAULT, commands: str = "billing.commands"
    ) -> None:
        """`commands` is the real name of the command topic; horizons of another are dropped."""
        self.whole = whole
        self.partitions = partitions
        self.commands = commands
        self._projects: dict[tuple[str, str], Project] = {}
        self._horizons = Horizons()

    def event(self, record: bytes | Mapping[str, Any]) -> Taken | Dropped | Gap:
        """Fold a record of `billing.binding-events`. ValueError if it is none."""
        change = read_change(record)
        return self._project(change.organization, change.project).event(change)

    def state(self, key: bytes, record: bytes | Mapping[str, Any] | None) -> Taken | Dropped:
        """Fold a record of `billing.payers`; None is a tombstone. ValueError if it is none."""
        if record is None:
            organization, separator, project = key.decode().partition("/")
            if not separator:
                raise ValueError("not the key of a project")
            self._project(organization, project).remove()
            return TAKEN
        change = read_state(record)
        if key != f"{change.organization}/{change.project}".encode():
            raise ValueError("not the key of the project in the record")
        known = self._projects.get((change.organization, change.project)) or Project()
        outcome = known.state(change)  # raises before anything is known of the project, or has changed
        self._projects[change.organization, change.project] = known
        return outcome

    def horizon(self, key: bytes, record: bytes | Mapping[str, Any]) -> Taken | Dropped:
        """Hear of a record of `billing.horizons`, read committed. It counts once `asks_for_ends` was answered.

        ValueError if it is none, or of a partition that there should not be: then partitions were added, and other
        horizons speak for most organizations than before.
        """
        commands, _, partition = key.decode().rpartition("/")
        if commands != self.commands:
            return DROPPED
        if int(partition) >= self.partitions:
            raise ValueError(f"a horizon of partition {int(partition)}, but {self.partitions} partitions are declared")
        return TAKEN if self._horizons.tell(int(partition), read_horizon(record)) else DROPPED

    def asks_for_ends(self) -> bool:
        """Whether there are horizons that wait to count: look up where the logs end now, and say so by `ends`."""
        return self._horizons.ask()

    def ends(self, ends: Mapping[str, int]) -> None:
        """Say where every log (`topic/partition`) of events and states ends, open transactions included.

        Looked up after `asks_for_ends` said yes, by a client that reads uncommitted: to one that reads committed, logs
        may end before the very transaction whose horizon is already visible.
        """
        self._horizons.end(ends)

    def reached(self, positions: Mapping[str, int]) -> None:
        """Say up to where logs are folded: the next offset to read, by `topic/partition`."""
        self._horizons.reach(positions)

    @property
    def positions(self) -> dict[str, int]:
        """Where to read on after a restart, as `reached` was told."""
        return dict(self._horizons.positions)

    def paid(self, organization: str, project: str, at: datetime) -> Answer:
        """Who paid for a project at an instant. A payer or nobody is final; what is not known is never guessed."""
        instant = format_instant(at)
        known = self._projects.get((organization, project))
        through = self._horizons.final.get(partition_of(organization, self.partitions))
        is_past = through is not None and instant <= through
        if known is None:
            if is_past:
                return Nobody() if self.whole else Unknown(Why.NEVER_SEEN)
            return NotYet(_read(through), Nobody() if self.whole else None)
        is_told = instant < known.newest.through  # by the project's own later events; no horizon is needed
        if known.has_gap and not is_told:
            return Unknown(Why.GAP)
        stretch = known.stretch_at(instant)
        is_hole = stretch is None or (known.is_behind and not is_told)
        so_far = None if stretch is None or is_hole else _answer(stretch.paid(instant))
        if so_far is not None and (is_told or is_past):
            return so_far
        if not is_past:
            return NotYet(_read(through), so_far)
        return Unknown(Why.BEFORE_TIMELINE if stretch is None else Why.REMOVED)

    def through(self, organization: str | None = None) -> datetime | None:
        """Through which instant answers about an organization are final; without one, about all. None: not yet.

        A period can be billed when this, for all, is past its end.
        """
        final = self._horizons.final
        if organization is not None:
            return _read(final.get(partition_of(organization, self.partitions)))
        return _read(min(final.values())) if len(final) == self.partitions else None

    def gaps(self) -> list[tuple[str, str]]:
        """The projects whose next compacted record is waited for."""
        return [key for key, project in self._projects.items() if project.has_gap]

    def dump(self) -> Iterator[str]:
        """Everything, as lines of JSON; to be kept in one transaction with whatever was derived from it."""
        head = {"whole": self.whole, "partitions": self.partitions, "commands": self.commands}
        return dump.write(head, self._horizons, self._projects)

    @classmethod
    def load(cls, lines: Iterable[str], *, partitions: int | None = None, topics_anew: bool = False) -> "Payers":
        """What was dumped. ValueError if torn.

        Another count of partitions makes horizons heard of before void. `topics_anew`: the topics were lost and filled
        again, at other offsets; then positions are void, and everything is to be read from its beginning.
        """
        head, horizons, projects = dump.read(lines)
        payers = cls(whole=head["whole"], partitions=partitions or head["partitions"], commands=head["commands"])
        if payers.partitions != head["partitions"]:
            horizons = Horizons(positions=horizons.positions)
        if topics_anew:
            horizons = Horizons(final=horizons.final)
        payers._horizons, payers._projects = horizons, projects
        return payers

    def _project(self, organization: str, project: str) -> Project:
        known = self._projects.get((organization, project))
        if known is None:
            known = self._projects[organization, project] = Project()
        return known


def _answer(period: Period | None) -> Payer | Nobody:
    if period is None:
        return Nobody()
    until = _read(period.until)
    return Payer(period.account, period.binding, period.currency, parse_instant(period.since), until)


def _read(written: str | None) -> datetime | None:
    return None if written is None else parse_instant(written)
