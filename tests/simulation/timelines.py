"""E4, E5: one account pays at a time; events, states and tables say the same."""

from collections import Counter, defaultdict
from itertools import pairwise
from typing import NamedTuple

from tests.simulation.seen import EVENTS, STATES, Json, Seen
from tests.simulation.tables import BindingRow, Tables
from worker.domain.book import Key
from worker.wire.outgoing import Topic
from worker.wire.parts import instant

ESTABLISHED = "billing.binding.established.v1"
ENDED = {"billing.binding.superseded.v1", "billing.binding.released.v1"}


class Paid(NamedTuple):
    """One interval. `until` None: open."""

    binding: str
    account: str
    since: str
    until: str | None


Timelines = dict[Key, list[Paid]]


def fold(seen: Seen) -> Timelines:
    """The intervals of every project, from its events alone."""
    timelines: Timelines = defaultdict(list)
    for record in seen.records[Topic.BINDING_EVENTS]:
        kind, data = record.said["type"], record.said["data"]
        if kind != ESTABLISHED and kind not in ENDED:
            continue
        timeline = timelines[record.said["organization"], data["project"]]
        if kind == ESTABLISHED:
            timeline.append(Paid(data["binding"], data["account"], data["since"], None))
            continue
        assert timeline, f"E4: an end without a beginning: {record.said}"
        last = timeline[-1]
        assert (last.binding, last.until) == (data["binding"], None), f"E4: {data['binding']} ended, open was {last}"
        timeline[-1] = last._replace(until=data["until"])
    return timelines


def one_pays_at_a_time(timelines: Timelines) -> None:
    """E4: intervals never overlap, only the last is open."""
    for project, timeline in timelines.items():
        for one, following in pairwise(timeline):
            assert one.until is not None, f"E4: {project} has two payers: {one} and {following}"
            assert one.since < one.until <= following.since, f"E4: {project}: {one} and then {following}"


def states_are_those_after_the_last_event(seen: Seen, timelines: Timelines) -> None:
    """E5: of each subject, the newest state has the last event's sequence, and of a project its payer."""
    last: dict[str, int] = {}
    for topic in EVENTS:
        last |= {record.said["subject"]: record.said["sequence"] for record in seen.records[topic]}
    newest: dict[str, Json | None] = {}
    for topic in STATES:
        kind = "accounts" if topic is Topic.ACCOUNTS else "projects"
        for record in seen.records[topic]:
            newest[f"{kind}/{(record.content.key or b'').decode()}"] = record.message
    assert newest.keys() == last.keys(), f"E5: states and events of other subjects: {newest.keys() ^ last.keys()}"
    for subject, state in newest.items():
        if state is None:
            continue
        data = state["data"]
        assert data["sequence"] == last[subject], f"E5: {subject} at {data['sequence']}, by its events {last[subject]}"
        kind, organization, id_ = subject.split("/")
        if kind == "projects":
            timeline = timelines.get((organization, id_), [])
            pays = timeline[-1].account if timeline and timeline[-1].until is None else None
            said = data["payer"]["account"] if data["payer"] else None
            assert said == pays, f"E5: {subject} is paid by {said}, by its events {pays}"


def tables_equal_events(tables: Tables, timelines: Timelines) -> None:
    """E5: what the database holds is the fold of what was published."""
    stored = {key: [_paid(row) for row in rows] for key, rows in tables.bindings.items() if rows}
    assert stored == timelines, "E5: bindings and events differ"
    paid = Counter((key[0], line[-1].account) for key, line in timelines.items() if line and line[-1].until is None)
    counted = {key: row.active_bindings for key, row in tables.accounts.items() if row.active_bindings}
    assert counted == dict(paid), f"E5: {counted} counted, {dict(paid)} pay"
    for key, row in tables.accounts.items():
        assert row.holds_active == len(tables.holds.get(key, ())), f"E5: holds of {key}"


def _paid(row: BindingRow) -> Paid:
    return Paid(row.binding, row.account, instant(row.since), instant(row.until) if row.until else None)
