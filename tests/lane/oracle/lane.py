"""A partition of the command topic decided naively, record after record."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aiokafka import ConsumerRecord
from aiokafka.partitioner import murmur2

from tests.domain.oracle import Oracle
from tests.lane.oracle.commands import Problems, kind_of, read_data
from tests.lane.oracle.envelopes import TRACEPARENT, Json, read

TICK = "billing.lane.tick.v1"
SYSTEM = "system:billing-worker"
LISTED_MAX = 100
MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Told = dict[str, list[Json]]
"""Messages by organization."""


@dataclass
class Happened:
    """What one record brings about. Ids that only a worker can know are written `~…`."""

    record: ConsumerRecord
    at: datetime
    is_unreadable: bool = False
    events: Told = field(default_factory=dict)
    """In order, those of due work first."""
    results: Told = field(default_factory=dict)
    states: Told = field(default_factory=dict)
    tombstones: list[tuple[str, str]] = field(default_factory=list)


def partition_of(organization: str, partitions: int) -> int:
    return int((murmur2(organization.encode()) & 0x7FFFFFFF) % partitions)


def place_of(record: ConsumerRecord) -> str:
    return f"{record.partition}/{record.offset}"


CAUSE = ("organization", "time", "actor", "causationid", "correlationid", "traceparent")
"""The attributes that an event shares with whatever else its cause brings about, and with its subject's state."""


class Lane:
    """One partition: its latest instant, its organizations, and the ids that they have used up."""

    def __init__(self, partitions: int, rules: Json) -> None:
        self.partitions = partitions
        self.rules = rules
        self.latest = EPOCH
        self.organizations: dict[str, Oracle] = {}
        self.inbox: dict[tuple[str, str], tuple[str, Json]] = {}
        self.naive_id: Callable[[str, str], str] = lambda _organization, id_: id_
        """The oracle's name for a binding that a publisher knows by the worker's."""

    def of(self, organization: str) -> Oracle:
        """What is known of an organization."""
        if organization not in self.organizations:
            self.organizations[organization] = oracle = Oracle(self.rules)
            oracle.tells_at_once = False
        return self.organizations[organization]

    def decide(self, record: ConsumerRecord) -> Happened:
        """What one more record brings about: what is due first, then what it asks for."""
        appended = EPOCH + timedelta(milliseconds=record.timestamp)
        self.latest = max(appended, self.latest + MICROSECOND)
        happened, envelope = Happened(record, self.latest), read(record)
        if envelope is None:
            happened.is_unreadable = True
            return happened
        self.do_what_is_due(happened, envelope)
        if envelope["type"] != TICK:
            self.answer(happened, envelope)
        for organization, events in happened.events.items():
            lasts = {event["subject"]: event for event in events}
            happened.states[organization] = [
                self.state(subject) | {name: last[name] for name in CAUSE} for subject, last in lasts.items()
            ]
        return happened

    def do_what_is_due(self, happened: Happened, envelope: Json) -> None:
        for organization in sorted(self.organizations):
            oracle = self.organizations[organization]
            oracle.rules = self.rules
            events = oracle.tick(happened.at)
            self.tell(happened, {"id": envelope["id"], "actor": SYSTEM}, organization, events)
            happened.tombstones += [(organization, project) for project in oracle.tombstones()]

    def answer(self, happened: Happened, envelope: Json) -> None:
        """The stages: key, type, id, data, rules; the first that refuses ends."""
        organization, id_, is_dry = envelope["organization"], envelope["id"], envelope.get("dryrun") is True
        content = json.dumps([envelope.get(name) for name in ("type", "actor", "expectedversion", "data")])
        content = json.dumps(json.loads(content), sort_keys=True)
        kind, used = kind_of(envelope["type"]), self.inbox.get((organization, id_))
        if is_dry:
            used = None
        refused = self.why_not_here(happened.record, organization)
        if refused:
            self.reject(happened, envelope, refused)
        elif used and used[0] == content:
            self.result(happened, envelope, {**used[1], "duplicate": True})
        elif kind is None or used:
            refused = [("COMMAND_ID_REUSED", None) if kind else ("UNKNOWN_COMMAND", None)]
            self.reject(happened, envelope, refused, content if not used and not is_dry else None)
        else:
            self.judge(happened, envelope, kind, None if is_dry else content)

    def why_not_here(self, record: ConsumerRecord, organization: str) -> list[tuple[str, Json | None]]:
        refused: list[tuple[str, Json | None]] = []
        if record.key != organization.encode():
            refused.append(("KEY_MISMATCH", None))
        expected = partition_of(organization, self.partitions)
        if record.partition != expected:
            refused.append(("WRONG_PARTITION", {"expected": expected}))
        return refused

    def judge(self, happened: Happened, envelope: Json, kind: str, content: str | None) -> None:
        """The data, then the rules. Without content it is a dry run: judged by a copy that is thrown away."""
        data, problems = read_data(kind, envelope.get("data"))
        if "datacontenttype" in envelope and "json" not in envelope["datacontenttype"]:
            problems = [("INVALID_DATA", "/datacontenttype")]
        problems += wrong_attributes(kind, envelope)
        if problems:
            refused: list[tuple[str, Json | None]] = [(code, {"path": path}) for code, path in problems]
            self.reject(happened, envelope, refused, content)
            return
        organization, actor, expected = envelope["organization"], envelope.get("actor"), envelope.get("expectedversion")
        oracle = self.of(organization)
        if content is None:
            oracle = deepcopy(oracle)
        oracle.at, oracle.rules = happened.at, self.rules
        if data.get("expected_binding"):
            data["expected_binding"] = self.naive_id(organization, data["expected_binding"])
        decided = oracle.decide(organization, kind, data, actor, expected)
        if decided["refused"]:
            self.reject(happened, envelope, decided["refused"], content)
            return
        if content is None:
            told = self.dress(happened, envelope, organization, decided["events"])
            self.evaluate(happened, envelope, [refer(event) | {"data": event["data"]} for event in told], [])
            return
        told = self.tell(happened, envelope, organization, decided["events"])
        result = {
            "command": envelope["id"],
            "type": envelope["type"],
            "events": [refer(event) for event in told[:LISTED_MAX]],
            "eventCount": len(told),
            "version": version(oracle, organization, kind, data),
            "duplicate": False,
        }
        self.inbox[organization, envelope["id"]] = content, result
        self.result(happened, envelope, result)

    def tell(self, happened: Happened, envelope: Json, organization: str, events: list[Json]) -> list[Json]:
        told = self.dress(happened, envelope, organization, events)
        if told:
            happened.events.setdefault(organization, []).extend(told)
        return told

    def dress(self, happened: Happened, envelope: Json, organization: str, events: list[Json]) -> list[Json]:
        """Events with the attributes of their cause."""
        place, before = place_of(happened.record), len(happened.events.get(organization, []))
        return [
            {**cause(happened, envelope, organization), **event, "id": f"~{place}/{number}"}
            for number, event in enumerate(events, before)
        ]

    def reject(
        self,
        happened: Happened,
        envelope: Json,
        refused: list[tuple[str, Json | None]],
        content: str | None = None,
    ) -> None:
        """Content given uses the id up."""
        reasons = [{"code": code} | ({} if details is None else {"details": details}) for code, details in refused]
        if envelope.get("dryrun") is True:
            self.evaluate(happened, envelope, [], reasons)
            return
        result = {"command": envelope["id"], "type": envelope["type"], "reasons": reasons, "duplicate": False}
        if content is not None:
            self.inbox[envelope["organization"], envelope["id"]] = content, result
        self.result(happened, envelope, result)

    def evaluate(self, happened: Happened, envelope: Json, events: list[Json], reasons: list[Json]) -> None:
        data = {
            "command": envelope["id"],
            "wouldAccept": not reasons,
            "events": events[:LISTED_MAX],
            "eventCount": len(events),
            "reasons": reasons,
        }
        self.result(happened, envelope, data)

    def result(self, happened: Happened, envelope: Json, data: Json) -> None:
        organization = envelope["organization"]
        word = "evaluated" if "wouldAccept" in data else "rejected" if "reasons" in data else "accepted"
        happened.results[organization] = [
            {
                **cause(happened, envelope, organization),
                "type": f"billing.command.{word}.v1",
                "id": f"~{place_of(happened.record)}/result",
                "subject": f"commands/{organization}/{envelope['id']}",
                "sequence": None,
                "data": data,
            }
        ]

    def state(self, subject: str) -> Json:
        """An account or a project as it stands."""
        kind, organization, id_ = subject.split("/")
        oracle = self.organizations[organization]
        key = organization, id_
        if kind == "accounts":
            return {"subject": subject, "data": oracle.account_state(oracle.accounts[key])}
        return {"subject": subject, "data": oracle.payer_state(oracle.projects[key])}


def wrong_attributes(kind: str, envelope: Json) -> Problems:
    problems: Problems = []
    expected = envelope.get("expectedversion")
    is_versioned = kind == "bind_project" or not kind.endswith("_project")
    if expected is not None and not (is_versioned and type(expected) is int and expected >= 0):
        problems.append(("INVALID_DATA", "/expectedversion"))
    if not isinstance(envelope.get("dryrun", False), bool):
        problems.append(("INVALID_DATA", "/dryrun"))
    return problems


def version(oracle: Oracle, organization: str, kind: str, data: Json) -> int | None:
    """What `expectedversion` is compared with next, null where it is not allowed."""
    if kind.endswith("_project") and kind != "bind_project":
        return None
    account = data["source"] if kind == "move_projects" else data["account"]
    sequence: int = oracle.accounts[organization, account]["seq"]
    return sequence


def refer(event: Json) -> Json:
    return {name: event[name] for name in ("id", "type", "subject", "sequence")}


def cause(happened: Happened, envelope: Json, organization: str) -> Json:
    """What everything that a record brings about repeats of it; None for what is not to be there."""
    trace = envelope.get("traceparent", "")
    return {
        "organization": organization,
        "time": happened.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "actor": envelope.get("actor"),
        "causationid": envelope["id"],
        "correlationid": envelope.get("correlationid", envelope["id"]),
        "traceparent": trace if TRACEPARENT.fullmatch(trace) else None,
    }
