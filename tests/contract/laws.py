"""What holds of every message, whatever the case was: attributes, exact fields, sequences, compacted topics."""

import json
import re
from collections import defaultdict
from typing import Any
from uuid import UUID

from tests.contract.cases import Message, Told

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")

FIELDS = {
    "account.created": "account currency displayName contact paymentTerms paymentProfiles labels",
    "account.updated": "account displayName contact labels",
    "account.currency-changed": "account currency",
    "account.payment-terms-changed": "account paymentTerms",
    "account.payment-profile-attached": "account paymentProfiles",
    "account.payment-profile-reported": "account externalId status cause paymentProfiles",
    "account.payment-profile-detached": "account paymentProfiles",
    "account.hold-placed": "hold",
    "account.hold-released": "hold releasedBy approval? automatic?",
    "account.suspension-scheduled": "account reason dueAt message scheduledBy scheduledAt",
    "account.suspension-cancelled": "account reason",
    "account.phase-changed": (
        "account from to since at reason holds activeBindings activatedAt currency settlement? approval?"
    ),
    "account.deleted": "account phase lastBindingUntil",
    "project.registered": "project",
    "project.deleted": "project",
    "binding.established": (
        "binding project account since supersedes? previousAccount? currency previousCurrency? accountSequence"
    ),
    "binding.superseded": "binding project account since until supersededBy currency",
    "binding.released": "binding project account since until reason currency",
    "binding.locked": "binding project account note",
    "binding.unlocked": "binding project account note",
    "project.payer-at-risk": "account phase reasons since accountSequence",
    "project.payer-restored": "account phase reasons since accountSequence",
    "project.payer-missing": "project since reason",
    "command.accepted": "command type events eventCount version duplicate",
    "command.rejected": "command type reasons duplicate",
    "command.evaluated": "command wouldAccept events eventCount reasons",
    "account.state": (
        "organization account sequence phase phaseSince activatedAt currency paymentTerms contact displayName "
        "paymentProfiles holds scheduled labels deletedAt?"
    ),
    "payer.state": "organization project sequence payer locked deletedAt? timeline timelineSince",
    "lane.horizon": "through offset epoch installation",
}
HOLD = "hold reason message blocksRebind placedBy placedAt"
PAYER = "binding account since currency"
CLOSED = "binding account currency since until reason"


def fields_fit(data: Message, fields: str) -> bool:
    names = {name.rstrip("?"): name.endswith("?") for name in fields.split()}
    return data.keys() <= names.keys() and {name for name, optional in names.items() if not optional} <= data.keys()


def problems(told: Told) -> list[str]:
    """Everything that is wrong with what a deployment wrote."""
    found: list[str] = []
    ids: set[str] = set()
    sequences: dict[str, int] = defaultdict(int)
    for topic, records in told.topics.items():
        for record in records:
            if record.value is None:
                continue
            message = json.loads(record.value)
            where = f"{topic} {record.key!r} {message['type']} {message['id']}"
            found += [
                f"{where}: {what}" for what in _of_message(told, topic, message, dict(record.headers), record.key)
            ]
            if topic in {"command_results", "account_events", "binding_events"}:
                if message["id"] in ids:
                    found.append(f"{where}: id not unique")
                ids.add(message["id"])
            if topic.endswith("events"):
                sequences[message["subject"]] += 1
                if message["sequence"] != sequences[message["subject"]]:
                    found.append(f"{where}: sequence {message['sequence']} is not {sequences[message['subject']]}")
    return found + _of_results(told) + _of_states(told, sequences) + _of_phases(told)


def _of_message(told: Told, topic: str, message: Message, headers: dict[str, bytes], key: bytes) -> list[str]:
    wrong = []
    word = message["type"].removeprefix("billing.").removesuffix(".v1")
    if word not in FIELDS:
        return [f"unknown type {word}"]
    if not fields_fit(message["data"], FIELDS[word]):
        wrong.append(f"fields {sorted(message['data'])} are not {FIELDS[word]}")
    if UUID(message["id"]).version != 5:
        wrong.append("id is no UUIDv5")
    repeated = ("id", "type", "subject")
    wrong += [f"header ce_{name}" for name in repeated if headers.get(f"ce_{name}") != message[name].encode()]
    if headers.get("content-type") != b"application/cloudevents+json":
        wrong.append("content-type")
    if message["specversion"] != "1.0" or not message["source"] or not message["dataschema"]:
        wrong.append("specversion, source or dataschema")
    wrong += [f"instant {instant}" for instant in _instants(message["data"]) if not INSTANT.fullmatch(instant)]
    if not INSTANT.fullmatch(message["time"]):
        wrong.append(f"time {message['time']}")
    if topic != "horizons":
        wrong += _of_origin(told, topic, message, key.decode())
    return wrong


def _of_origin(told: Told, topic: str, message: Message, key: str) -> list[str]:
    """Who caused it, where it lies, which key it has."""
    wrong = []
    commands = told.deployment.settings.topics.commands
    if not re.fullmatch(rf"{re.escape(commands)}/\d+/\d+/\d+", message["commandposition"]):
        wrong.append(f"commandposition {message['commandposition']}")
    command = told.sent.get(f"{message['organization']}/{message['causationid']}")
    due = message.get("actor") == "system:billing-worker"
    if due and (message["correlationid"] != message["causationid"] or "traceparent" in message):
        wrong.append("what nobody asked for by name repeats what a publisher chose")
    if command is not None and not due and topic != "command_results":
        if message["correlationid"] != command.get("correlationid", command["id"]):
            wrong.append("correlationid")
        if message.get("actor") != command.get("actor"):
            wrong.append(f"actor {message.get('actor')}")
        if len(command.get("traceparent", "")) == 55 and message.get("traceparent") != command["traceparent"]:
            wrong.append("traceparent")
    if topic == "command_results":
        subject = f"commands/{message['organization']}/{message['causationid']}"
        if "sequence" in message or key != message["organization"] or message["subject"] != subject:
            wrong.append("a result has no sequence, its organization as key and its command as subject")
    else:
        kind = "accounts" if topic.startswith("account") else "projects"
        if message["subject"] != f"{kind}/{key}" or not key.startswith(message["organization"] + "/"):
            wrong.append(f"subject {message['subject']}")
    return wrong


def _of_results(told: Told) -> list[str]:
    """What a result announces is what is there, and instants only grow."""
    wrong: list[str] = []
    newest: dict[str, str] = defaultdict(str)
    events = {event["id"]: event for seen in told.seen.values() for event in seen.events}
    for record in told.topics["command_results"]:
        result = json.loads(record.value)
        data = result["data"]
        position = ".".join(result["commandposition"].split("/")[:2])
        if result["time"] <= newest[position]:
            wrong.append(f"{result['subject']}: {result['time']} is not after {newest[position]}")
        newest[position] = result["time"]
        for reason in data.get("reasons", []):
            fits = reason.keys() == {"code", "message", "details"} and isinstance(reason["details"], dict)
            wrong += [] if fits else [f"{result['subject']}: {reason}"]
        if result["type"] != "billing.command.accepted.v1":
            continue
        if len(data["events"]) != min(100, data["eventCount"]):
            wrong.append(f"{result['subject']}: eventCount {data['eventCount']}")
        for announced in data["events"]:
            event = events.get(announced["id"], {})
            if announced != {name: event.get(name) for name in ("id", "type", "subject", "sequence")}:
                wrong.append(f"{result['subject']}: announced {announced}, found {event}")
            if not data["duplicate"] and event.get("time") != result["time"]:
                wrong.append(f"{result['subject']}: time of {announced}")
    return wrong


def _of_states(told: Told, sequences: dict[str, int]) -> list[str]:
    """The newest record of each key is as its events say."""
    wrong = []
    for topic, kind in (("accounts", "accounts"), ("payers", "projects")):
        newest = {record.key.decode(): record.value for record in told.topics[topic]}
        mine = {subject for subject in sequences if subject.startswith(f"{kind}/")}
        if {f"{kind}/{key}" for key in newest} != mine:
            wrong.append(f"{topic} carries {sorted(newest)}")
        for key, value in newest.items():
            last: Message = {"sequence": sequences[f"{kind}/{key}"]}
            data: Message = json.loads(value)["data"] if value is not None else last
            if data["sequence"] != sequences[f"{kind}/{key}"]:
                wrong.append(f"{topic} {key}: sequence {data['sequence']}, events {sequences[f'{kind}/{key}']}")
            wrong += [f"{topic} {key}: hold {each}" for each in data.get("holds", []) if not fields_fit(each, HOLD)]
            wrong += [f"{topic} {key}: {each}" for each in data.get("timeline", []) if not fields_fit(each, CLOSED)]
            if data.get("payer") and not fields_fit(data["payer"], PAYER):
                wrong.append(f"{topic} {key}: payer {data['payer']}")
    return wrong


def _of_phases(told: Told) -> list[str]:
    """Each phase begins where the one before it ends."""
    wrong: list[str] = []
    newest: dict[str, Message] = {}
    for record in told.topics["account_events"]:
        event = json.loads(record.value)
        if event["type"] == "billing.account.hold-placed.v1" and not fields_fit(event["data"]["hold"], HOLD):
            wrong.append(f"{event['subject']}: hold {event['data']}")
        if event["type"] != "billing.account.phase-changed.v1":
            continue
        data = event["data"]
        before = newest.get(event["subject"])
        if data["from"] != (before["to"] if before else None) or data["at"] != event["time"]:
            wrong.append(f"{event['subject']}: from {data['from']}, at {data['at']}")
        if before and data["since"] != before["at"]:
            wrong.append(f"{event['subject']}: since {data['since']}, the phase before began {before['at']}")
        newest[event["subject"]] = data
    return wrong


def _instants(value: Any) -> list[str]:
    """Whatever in the data stands where an instant belongs."""
    if isinstance(value, list):
        return [each for item in value for each in _instants(item)]
    if not isinstance(value, dict):
        return []
    names = {"at", "since", "until", "placedAt", "activatedAt", "phaseSince", "dueAt", "deletedAt", "through"}
    names |= {"validUntil", "settledThrough", "scheduledAt", "lastBindingUntil", "timelineSince"}
    here = [each for name, each in value.items() if name in names and isinstance(each, str)]
    return here + [each for item in value.values() for each in _instants(item)]
