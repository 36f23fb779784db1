"""What to publish again, and where to: as an operator asks for it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, TypeAlias

from schemas.instants import format_instant
from worker.settings import Settings
from worker.wire.outgoing import Topic

Edge: TypeAlias = int | datetime | None
"""Where a range begins or ends: an offset of commands, an instant, or nowhere."""

LOGS: Final = (Topic.ACCOUNT_EVENTS, Topic.BINDING_EVENTS, Topic.COMMAND_RESULTS, Topic.DEAD_LETTERS)
"""Topics that keep every record."""
STATES: Final = (Topic.ACCOUNTS, Topic.PAYERS)
"""Topics that keep each key's latest."""
ALL: Final = frozenset((*LOGS, *STATES, Topic.HORIZONS))

_OF_SUBJECTS: Final = {
    "accounts": (Topic.ACCOUNT_EVENTS, Topic.ACCOUNTS),
    "projects": (Topic.BINDING_EVENTS, Topic.PAYERS),
}


@dataclass(frozen=True, slots=True)
class Subject:
    """An account or a project, as `accounts/<organization>/<account>` names it."""

    kind: str
    key: str

    @classmethod
    def parse(cls, text: str) -> "Subject":
        """Raises ValueError."""
        kind, _, key = text.partition("/")
        if kind not in _OF_SUBJECTS or key.count("/") != 1:
            raise ValueError("is accounts/ORG/ACCOUNT or projects/ORG/PROJECT")
        return cls(kind, key)

    @property
    def topics(self) -> frozenset[Topic]:
        """Where its records are."""
        return frozenset(_OF_SUBJECTS[self.kind])


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records of the journal: all that fit everything that is given. `until` is exclusive."""

    topics: frozenset[Topic] = ALL
    lanes: frozenset[int] = frozenset()
    since: Edge = None
    until: Edge = None
    organization: str | None = None
    subject: Subject | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it leaves nothing out of what is said of a lane: only then the lane is published up to its end."""
        return self.topics == ALL and self.is_of_everybody and self.since is None and self.until is None

    @property
    def is_of_everybody(self) -> bool:
        """Whether it goes for all organizations and subjects."""
        return self.organization is None and self.subject is None

    @property
    def is_of_all_times(self) -> bool:
        """Whether no range is given."""
        return self.since is None and self.until is None

    def chosen(self, among: tuple[Topic, ...]) -> list[Topic]:
        """Those of these topics that are asked for."""
        topics = self.topics & self.subject.topics if self.subject else self.topics
        return [topic for topic in among if topic in topics]


@dataclass(frozen=True, slots=True)
class Order:
    """A selection and where it goes: `names` are the real names of topics that are not the installation's own."""

    selection: Selection
    names: Mapping[Topic, str] = field(default_factory=dict)
    again: bool = False
    rate: float | None = None

    def name(self, topic: Topic, settings: Settings) -> str:
        """The real name of the topic that records of this kind go to."""
        return self.names.get(topic) or own_name(topic, settings)

    def is_own(self, topic: Topic, settings: Settings) -> bool:
        """Whether these records go where the worker publishes them."""
        return self.name(topic, settings) == own_name(topic, settings)

    def arguments(self) -> dict[str, Any]:
        """Whatever decides what is published, for the audit; never how fast."""
        selection = self.selection
        return {
            "topics": sorted(topic.value for topic in selection.topics),
            "lanes": sorted(selection.lanes),
            "from": _written(selection.since),
            "to": _written(selection.until),
            "organization": selection.organization,
            "subject": f"{selection.subject.kind}/{selection.subject.key}" if selection.subject else None,
            "names": {topic.value: name for topic, name in sorted(self.names.items())},
            "again": self.again,
        }

    @property
    def digest(self) -> str:
        """The same for the same order: by this a run that was killed is known again."""
        return sha256(json.dumps(self.arguments(), sort_keys=True).encode()).hexdigest()[:16]


def own_name(topic: Topic, settings: Settings) -> str:
    """What the installation calls a topic."""
    name: str = getattr(settings.topics, topic.name.lower())
    return name


def _written(edge: Edge) -> int | str | None:
    return format_instant(edge) if isinstance(edge, datetime) else edge
