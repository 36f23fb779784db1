"""What must hold of topics and tables after whatever happened. Each claim has the number of docs/guarantees.md."""

import json
from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

from aiokafka import ConsumerRecord

from tests.system.deployment import Deployment

EVENT_TOPICS = ("account_events", "binding_events")


async def check(deployment: Deployment, sent: Counter[str] | None = None) -> None:
    """Everything, on a deployment that has come to rest. `sent` counts the command ids that were acknowledged."""
    results = await deployment.read("command_results")
    if sent is not None:
        each_command_has_one_outcome(results, sent)
    events = []
    for topic in EVENT_TOPICS:
        records = await deployment.read(topic)
        sequences_have_no_holes(records)
        records_are_written_once(records)
        events += [json.loads(record.value) for record in records]
    records_are_written_once(results)
    only_ready_accounts_are_bound(events)
    timelines = fold(events)
    one_payer_at_a_time(timelines)
    await tables_equal_events(deployment, timelines)
    await compacted_topics_equal_events(deployment, timelines)
    await nothing_is_unpublished(deployment)


def each_command_has_one_outcome(results: list[ConsumerRecord], sent: Counter[str]) -> None:
    """E1: acknowledged commands have exactly one outcome each; none is lost, none decided twice."""
    answered = Counter(json.loads(record.value)["data"]["command"] for record in results)
    assert answered == sent


def sequences_have_no_holes(records: list[ConsumerRecord]) -> None:
    """E2, E3: per subject 1, 2, 3 … in the order in which a subscriber reads them."""
    seen: dict[str, int] = {}
    for record in records:
        event = json.loads(record.value)
        assert event["sequence"] == seen.get(event["subject"], 0) + 1, event
        seen[event["subject"]] = event["sequence"]


def records_are_written_once(records: list[ConsumerRecord]) -> None:
    """E2, E7: no id twice for whoever reads committed records."""
    twice = [id_ for id_, times in Counter(json.loads(record.value)["id"] for record in records).items() if times > 1]
    assert not twice


def only_ready_accounts_are_bound(events: list[dict[str, Any]]) -> None:
    """E4: in the order of the log, whoever takes a binding is Ready then, and whoever goes pays for nobody."""
    phases: dict[tuple[str, str], str] = {}
    paid: Counter[tuple[str, str]] = Counter()
    for event in sorted(events, key=_place):
        data, kind = event["data"], event["type"].removeprefix("billing.").removesuffix(".v1")
        account = (event["organization"], data.get("account", ""))
        if kind == "account.phase-changed":
            phases[account] = data["to"]
            assert data["to"] != "Archived" or not paid[account], event
        elif kind == "account.deleted":
            phases[account] = "deleted"
            assert not paid[account], event
        elif kind == "binding.established":
            assert phases[account] == "Ready", event
            paid[account] += 1
        elif kind in {"binding.superseded", "binding.released"}:
            paid[account] -= 1


def _place(event: dict[str, Any]) -> tuple[str, int, int]:
    """Where in its lane an event came about."""
    topic, partition, offset, index = event["commandposition"].rsplit("/", 3)
    return f"{topic}/{partition}", int(offset), int(index)


def fold(events: list[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The intervals of every project, from its events alone."""
    timelines: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        data, kind = event["data"], event["type"]
        if not kind.startswith("billing.binding."):
            continue
        timeline = timelines[event["organization"], data["project"]]
        if kind == "billing.binding.established.v1":
            timeline.append({name: data[name] for name in ("binding", "account", "since")} | {"until": None})
        elif kind in {"billing.binding.superseded.v1", "billing.binding.released.v1"}:
            assert timeline, event
            assert timeline[-1]["binding"] == data["binding"], event
            assert timeline[-1]["until"] is None, event
            timeline[-1]["until"] = data["until"]
    return timelines


def one_payer_at_a_time(timelines: dict[tuple[str, str], list[dict[str, Any]]]) -> None:
    """E4: intervals never overlap, only the last is open."""
    for project, timeline in timelines.items():
        for earlier, later in pairwise(timeline):
            assert earlier["until"] is not None, project
            assert earlier["since"] < earlier["until"] <= later["since"], project


async def tables_equal_events(deployment: Deployment, timelines: dict[tuple[str, str], list[dict[str, Any]]]) -> None:
    """E5: what the database holds is the fold of what was published."""
    rows = await deployment.rows(
        "SELECT organization, project, binding::text AS binding, account, since,"
        " nullif(until, 'infinity') AS until FROM bindings ORDER BY organization, project, since"
    )
    stored: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        stored[row.organization, row.project].append(
            {
                "binding": row.binding,
                "account": row.account,
                "since": _written(row.since),
                "until": None if row.until is None else _written(row.until),
            }
        )
    assert stored == timelines
    counts = await deployment.rows("SELECT organization, account, active_bindings FROM accounts")
    paid = Counter(
        (organization, timeline[-1]["account"])
        for (organization, _), timeline in timelines.items()
        if timeline[-1]["until"] is None
    )
    assert {(row[0], row[1]): row[2] for row in counts if row[2]} == paid


async def compacted_topics_equal_events(
    deployment: Deployment, timelines: dict[tuple[str, str], list[dict[str, Any]]]
) -> None:
    """E5: the newest record of every project names the payer that the events name."""
    newest: dict[tuple[str, ...], Any] = {}
    for record in await deployment.read("payers"):
        payer = json.loads(record.value)["data"]["payer"] if record.value is not None else None
        newest[tuple(record.key.decode().split("/"))] = payer
    payers = {project: timeline[-1]["account"] for project, timeline in timelines.items() if not timeline[-1]["until"]}
    assert {project: payer["account"] for project, payer in newest.items() if payer} == payers


async def nothing_is_unpublished(deployment: Deployment) -> None:
    """E9: every lane's horizon is where its row is."""
    horizons = {}
    for record in await deployment.read("horizons"):
        horizons[record.key] = json.loads(record.value)["data"]["offset"]
    topic = deployment.settings.topics.commands
    for partition, offset in await deployment.rows("SELECT partition, next_offset FROM lanes WHERE next_offset > 0"):
        assert horizons[f"{topic}/{partition}".encode()] == offset, partition


def _written(at: Any) -> str:
    return f"{at.strftime('%Y-%m-%dT%H:%M:%S')}.{at.microsecond:06}Z"
