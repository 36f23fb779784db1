"""E5: a project is the fold of its events. Written from the contract alone, in the shape of `billing.payers`."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.system.checker.messages import Json, Message, kind_of

CLOSED_MAX = 200


class Interval(NamedTuple):
    """One binding; `until` and `reason` are None while it is open."""

    binding: str
    account: str
    currency: str
    since: str
    until: str | None
    reason: str | None


@dataclass(slots=True)
class Project:
    """One project as it stands."""

    registered_at: str
    sequence: int = 0
    locked: bool = False
    at_risk: bool = False
    deleted_at: str | None = None
    intervals: list[Interval] = field(default_factory=list)

    def row(self, *, is_tombstoned: bool) -> Json:
        """What its row says of it, bindings apart."""
        return {
            "sequence": self.sequence,
            "registeredAt": self.registered_at,
            "locked": self.locked,
            "atRisk": self.at_risk,
            "deletedAt": self.deleted_at,
            "tombstoned": is_tombstoned,
        }


@dataclass
class Projects:
    """Every project by `organization/project`."""

    known: dict[str, Project] = field(default_factory=dict)

    def see(self, message: Message) -> Iterator[str]:
        """The next event of its project."""
        assert message.body is not None
        body, data, kind = message.body, message.body["data"], kind_of(message.body)
        key = body["subject"].removeprefix("projects/")
        if key not in self.known and kind not in {"project.registered", "project.deleted"}:
            yield f"{message} is of a project that nobody knows"
        project = self.known.setdefault(key, Project(body["time"]))
        project.sequence = body["sequence"]
        if kind == "binding.established":
            project.intervals.append(
                Interval(data["binding"], data["account"], data["currency"], data["since"], None, None)
            )
        elif kind in {"binding.superseded", "binding.released"}:
            if not project.intervals or project.intervals[-1].binding != data["binding"]:
                yield f"{message} ends a binding that is not the last one"
                return
            project.intervals[-1] = project.intervals[-1]._replace(
                until=data["until"], reason=data.get("reason", "SUPERSEDED")
            )
            project.locked = project.at_risk = False
        elif kind in {"binding.locked", "binding.unlocked"}:
            project.locked = kind == "binding.locked"
        elif kind in {"project.payer-at-risk", "project.payer-restored"}:
            project.at_risk = kind == "project.payer-at-risk"
        elif kind == "project.deleted":
            project.deleted_at, project.locked, project.at_risk = body["time"], False, False
        elif kind not in {"project.registered", "project.payer-missing"}:
            yield f"{message} is of the type {body['type']}, which the contract does not know"

    def state(self, key: str) -> Json:
        """What the newest record of a project carries."""
        project = self.known[key]
        organization, _, name = key.partition("/")
        intervals = project.intervals
        last = intervals[-1] if intervals and intervals[-1].until is None else None
        closed = intervals[:-1] if last else intervals
        kept = closed[-CLOSED_MAX:]
        payer = last and {"binding": last.binding, "account": last.account, "since": last.since}
        state: Json = {
            "organization": organization,
            "project": name,
            "sequence": project.sequence,
            "payer": payer and payer | {"currency": last.currency if last else None},
            "locked": project.locked,
            "timeline": [interval._asdict() for interval in (*kept, *([last] if last else []))],
            "timelineSince": closed[-CLOSED_MAX - 1].until if len(closed) > CLOSED_MAX else project.registered_at,
        }
        if project.deleted_at is not None:
            state["deletedAt"] = project.deleted_at
        return state
