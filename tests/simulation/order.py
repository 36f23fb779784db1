"""E2, E3, E7, E10: nothing comes twice, everything in its order, and what was said to be complete stays so."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from tests.simulation.seen import EVENTS, Seen
from tests.simulation.workers import Cluster
from worker.wire.outgoing import Topic
from worker.wire.parts import instant

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def nothing_comes_twice(seen: Seen) -> None:
    """E2, E7: no id twice for whoever reads committed records."""
    ids = Counter(
        record.message["id"] for records in seen.records.values() for record in records if record.message is not None
    )
    twice = [id_ for id_, times in ids.items() if times > 1]
    assert not twice, f"E2: twice: {twice}"


def sequences_have_no_holes(seen: Seen) -> None:
    """E2, E3: per subject 1, 2, 3 … in the order in which a subscriber reads them."""
    last: dict[str, int] = {}
    for topic in EVENTS:
        for record in seen.records[topic]:
            subject, sequence = record.said["subject"], record.said["sequence"]
            assert sequence == last.get(subject, 0) + 1, f"E3: {subject}: {sequence} after {last.get(subject, 0)}"
            last[subject] = sequence


def horizons_never_go_back(seen: Seen, lane: int, *, was_restored: bool) -> None:
    """E10: what was said to be complete stays so; epochs only grow, as long as the database remembers them."""
    for earlier, later in pairwise(seen.horizons(lane)):
        names = ("offset", "through", "epoch") if seen.is_once and not was_restored else ("offset", "through")
        for name in names:
            assert earlier[name] <= later[name], f"E10: lane {lane} went back: {earlier} then {later}"


def instants_follow_the_log(cluster: Cluster, seen: Seen, lane: int) -> None:
    """Lane time: an instant for each command, later than those before, never earlier than the broker's word."""
    times: dict[int, str] = {}
    for topic in (*EVENTS, Topic.COMMAND_RESULTS):
        for record in seen.of_lane(topic, lane):
            offset = record.place[0]
            at = times.setdefault(offset, record.said["time"])
            assert at == record.said["time"], f"E10: lane {lane}: two instants at offset {offset}"
    for (earlier, before), (later, after) in pairwise(sorted(times.items())):
        assert before < after, f"E10: lane {lane}: offset {later} at {after}, {earlier} at {before}"
    log = cluster.broker.commands(lane)
    for offset, at in times.items():
        appended = log.contents[offset]
        assert appended is not None, f"E6: lane {lane}: offset {offset} is no record"
        said = instant(_EPOCH + timedelta(milliseconds=appended.timestamp))
        assert at >= said, f"E10: lane {lane}: offset {offset} takes effect at {at}, appended at {said}"


def answers_are_final_through_the_horizon(seen: Seen, lane: int) -> None:
    """E10: nothing is published for an instant that an earlier horizon has said to be complete."""
    before: dict[object, str] = {}
    through: dict[object, str] = {}
    last = ""
    for record in seen.of_lane(Topic.HORIZONS, lane):
        before[record.transaction] = last
        last = through[record.transaction] = record.said["data"]["through"]
    for topic in EVENTS:
        for record in seen.of_lane(topic, lane):
            at, transaction = record.said["time"], record.transaction
            assert transaction in through, f"E6: lane {lane}: events without a horizon"
            assert at > before[transaction], f"E10: lane {lane}: an event of {at}, {before[transaction]} was complete"
            assert at <= through[transaction], f"E10: lane {lane}: an event of {at} past {through[transaction]}"
