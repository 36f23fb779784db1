"""A real deployment against the oracle: every result, event, state and dead letter, in order."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from aiokafka import ConsumerRecord

from tests.lane.oracle.envelopes import Json
from tests.lane.oracle.lane import CAUSE, Happened, Lane, place_of
from tests.lane.oracle.names import Names
from tests.lane.oracle.topics import Topics
from tests.system.settling import until
from tests.system.traffic import Known

Place = tuple[int, int]
EVENTS, STATES = ("account_events", "binding_events"), ("accounts", "payers")
DIFFERENCES_MAX = 12


@dataclass
class Outputs:
    """What a worker wrote for one record of the log."""

    events: list[Json] = field(default_factory=list)
    results: list[Json] = field(default_factory=list)
    states: list[Json] = field(default_factory=list)
    dead: list[ConsumerRecord] = field(default_factory=list)


@dataclass
class Comparison:
    """The lanes of the oracle beside those of a deployment, and what differed so far."""

    topics: Topics
    commands_topic: str
    lanes: dict[int, Lane]
    rules_from: dict[int, list[tuple[int, Json]]] = field(default_factory=dict)
    """Rules that hold from an offset of a partition on, oldest first; without any, those of the lane."""
    decided: dict[int, int] = field(default_factory=dict)
    """Up to which offset of each partition both have come."""
    names: defaultdict[str, Names] = field(default_factory=lambda: defaultdict(Names))
    known: Known = field(default_factory=Known)
    wrong: dict[str, list[str]] = field(default_factory=dict)
    """By organization (none for dead letters), the differences found first; later ones follow from those."""
    counted: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    """How often each code, type of event and change of phase (`from > to`) came up."""
    deleted_records: set[tuple[str, ...]] = field(default_factory=set)
    """Projects with a tombstone."""
    expected_deleted: set[tuple[str, ...]] = field(default_factory=set)
    _log: defaultdict[int, list[ConsumerRecord]] = field(default_factory=lambda: defaultdict(list))
    _outputs: defaultdict[Place, Outputs] = field(default_factory=lambda: defaultdict(Outputs))
    _sequences: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for lane in self.lanes.values():
            lane.naive_id = lambda organization, id_: self.names[organization].naive.get(id_, id_)

    async def follow(self, ends: dict[int, int], seconds: float = 60) -> None:
        """Wait until the worker has published what comes of everything before these offsets, and compare it."""

        async def is_published() -> bool:
            await self.topics.read()
            horizons = self.topics.horizons
            return all(
                partition in horizons and horizons[partition]["offset"] >= end for partition, end in ends.items()
            )

        await until(is_published, "everything is decided and published", seconds)
        through = dict(self.topics.horizons)
        await self.topics.read()  # a horizon may show before what was published with it
        self._sort()
        for partition, horizon in sorted(through.items()):
            self._decide(partition, horizon)

    def complain(self, organizations: Iterable[str] | None = None) -> None:
        """Fail with what was found wrong, with everybody or with these organizations."""
        names = list(self.wrong) if organizations is None else [*organizations, ""]
        found = [each for name in names for each in self.wrong.get(name, [])]
        found += [f"{project}: no tombstone" for project in self.expected_deleted - self.deleted_records]
        assert not found, "\n" + "\n".join(found[:DIFFERENCES_MAX])

    def _sort(self) -> None:
        """Put what was read where it belongs: beside its record of the log."""
        for record in self.topics.take("commands"):
            self._log[record.partition].append(record)
        for name in (*EVENTS, "command_results", *STATES):
            for record in self.topics.take(name):
                if record.value is None:
                    self.deleted_records.add(tuple(record.key.decode().split("/")))
                    continue
                message = json.loads(record.value)
                self._check_record(name, record, message)
                topic, partition, offset, index = message["commandposition"].rsplit("/", 3)
                assert topic == self.commands_topic
                outputs = self._outputs[int(partition), int(offset)]
                kept = outputs.events if name in EVENTS else outputs.states if name in STATES else outputs.results
                kept.append(message | {"index": int(index)})
        for record in self.topics.take("dead_letters"):
            headers = dict(record.headers)
            self._outputs[int(headers["billing-partition"]), int(headers["billing-offset"])].dead.append(record)

    def _check_record(self, name: str, record: ConsumerRecord, message: Json) -> None:
        """Its key, and that a subject's sequence grows by one from event to event, wherever they lie."""
        organization, subject = message["organization"], message["subject"]
        key = organization if name == "command_results" else subject.partition("/")[2]
        if record.key != key.encode():
            self._note(organization, f"{subject}: key {record.key!r}")
        if name in EVENTS:
            if message["sequence"] != self._sequences.get(subject, 0) + 1:
                self._note(organization, f"{subject}: {message['sequence']} after {self._sequences.get(subject, 0)}")
            self._sequences[subject] = message["sequence"]

    def _decide(self, partition: int, horizon: Json) -> None:
        """Let the oracle come as far as the worker has, and compare what it brings about with what was written."""
        lane, log = self.lanes[partition], self._log[partition]
        while log and log[0].offset < horizon["offset"]:
            record = log.pop(0)
            for offset, rules in self.rules_from.get(partition, []):
                if offset <= record.offset:
                    lane.rules = rules
            happened = lane.decide(record)
            self._compare(happened, self._outputs.pop((partition, record.offset), Outputs()))
        self.decided[partition] = horizon["offset"]
        through = lane.latest.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        if horizon["through"] != through:
            self._note("", f"partition {partition}: horizon {horizon}, expected through {through}")

    def _compare(self, happened: Happened, outputs: Outputs) -> None:
        if happened.is_unreadable != (len(outputs.dead) == 1) or not all(
            _is_copy(record, happened.record) for record in outputs.dead
        ):
            self._note(
                "", f"{place_of(happened.record)}: {len(outputs.dead)} dead letters of {happened.record.value!r}"
            )
        self.expected_deleted |= set(happened.tombstones)
        told = {message["organization"] for message in (*outputs.events, *outputs.results, *outputs.states)}
        for organization in sorted(told | happened.events.keys() | happened.results.keys()):
            if organization not in self.wrong:
                for difference in self._differences(happened, outputs, organization):
                    self._note(organization, f"{place_of(happened.record)} {organization}{difference}")

    def _differences(self, happened: Happened, outputs: Outputs, organization: str) -> list[str]:
        names = self.names[organization]
        expected = {
            "events": happened.events.get(organization, []),
            "results": happened.results.get(organization, []),
        }
        events, results = (_of(organization, found) for found in (outputs.events, outputs.results))
        for event in events:
            self._learn(event)
        for result in results:
            self._count(result)
        found = {
            "events": [_as_expected(event) for event in events],
            "results": [
                _as_expected(result) | {"data": _result(result["data"], expected["results"])} for result in results
            ],
        }
        for result in expected["results"]:
            result["data"] = _result(result["data"], expected["results"])
        is_dry = any("wouldAccept" in result["data"] for result in expected["results"])
        differences = names.differences(expected["events"], found["events"], " events")
        if not differences:  # a result repeats the ids of events
            kept = names.scratch() if is_dry else names
            differences = kept.differences(expected["results"], found["results"], " results")
        states = [
            {"subject": state["subject"], "data": state["data"]} | {name: state.get(name) for name in CAUSE}
            for state in _of(organization, outputs.states)
        ]
        return differences + names.differences(happened.states.get(organization, []), states, " states")

    def _learn(self, event: Json) -> None:
        organization, data = event["organization"], event["data"]
        self.counted[event["type"]] += 1
        if event["type"] == "billing.binding.established.v1":
            self.known.bindings[organization, data["project"]].append(data["binding"])
        if event["type"] == "billing.account.phase-changed.v1":
            self.counted[f"{data['from']} > {data['to']}"] += 1
        if event["subject"].startswith("accounts/"):
            self.known.versions[organization, event["subject"].rpartition("/")[2]] = event["sequence"]

    def _count(self, result: Json) -> None:
        self.counted[result["type"]] += 1
        self.counted["duplicate"] += bool(result["data"].get("duplicate"))
        for reason in result["data"].get("reasons", []):
            self.counted[reason["code"]] += 1

    def _note(self, organization: str, difference: str) -> None:
        self.wrong.setdefault(organization, []).append(difference)


def _of(organization: str, messages: list[Json]) -> list[Json]:
    """Those of one organization, in the order in which they came about."""
    return sorted(
        (message for message in messages if message["organization"] == organization),
        key=lambda message: int(message["index"]),
    )


def _as_expected(message: Json) -> Json:
    return {name: message.get(name) for name in (*CAUSE, "type", "subject", "sequence", "id", "data")}


def _result(data: Json, expected: list[Json]) -> Json:
    """Reasons in one order and without their words; details only where the oracle knows any."""
    if "reasons" not in data:
        return data
    told = {
        reason["code"] for result in expected for reason in result["data"].get("reasons", []) if "details" in reason
    }
    reasons = [
        {"code": reason["code"]} | ({"details": reason["details"]} if reason["code"] in told else {})
        for reason in data["reasons"]
    ]
    return data | {"reasons": sorted(reasons, key=lambda reason: (reason["code"], _path(reason)))}


def _path(reason: Json) -> str:
    return str(reason.get("details", {}).get("path", ""))


def _is_copy(dead: ConsumerRecord, record: ConsumerRecord) -> bool:
    """Value, key and headers as they came; the worker's own headers after them."""
    return (dead.value, dead.key, dead.headers[: len(record.headers)]) == (record.value, record.key, record.headers)
