"""What must hold of a history's topics and tables, all of it. Each claim has the number of docs/guarantees.md."""

from datetime import datetime

from tests.simulation import order, outcomes, timelines
from tests.simulation.seen import Seen, see
from tests.simulation.tables import Tables
from tests.simulation.workers import Cluster
from worker.domain.book import Key


def everything(cluster: Cluster, stopped: dict[int, str], *, was_restored: bool) -> Seen:
    """All claims, on what has come to rest. Of a lane that stopped only what it has published is judged."""
    assert not cluster.postgres.violations, f"E4: constraints were hit: {cluster.postgres.violations}"
    nothing_is_held(cluster)
    seen = see(cluster)
    for lane in range(cluster.partitions):
        order.horizons_never_go_back(seen, lane, was_restored=was_restored)
        order.instants_follow_the_log(cluster, seen, lane)
        outcomes.each_command_has_one(seen, lane)
        outcomes.dead_letters_are_the_original(seen, lane)
        if seen.is_once:
            order.answers_are_final_through_the_horizon(seen, lane)
        if lane not in stopped:
            outcomes.what_is_published_is_what_was_committed(cluster, seen, lane)
            outcomes.everything_is_published(cluster, seen, lane)
    outcomes.each_id_is_used_once(seen)
    outcomes.every_event_names_its_command(seen)
    outcomes.every_event_is_of_its_lane(cluster, seen)
    order.nothing_comes_twice(seen)
    order.sequences_have_no_holes(seen)
    paid = timelines.fold(seen)
    timelines.one_pays_at_a_time(paid)
    if seen.is_once or not stopped:
        timelines.states_are_those_after_the_last_event(seen, paid)
    if not stopped:
        timelines.tables_equal_events(cluster.postgres.tables, paid)
    return seen


def nothing_is_held(cluster: Cluster) -> None:
    """E9: no connection, no lock, no open transaction."""
    postgres = cluster.postgres
    assert not postgres.sessions, f"E9: {len(postgres.sessions)} connections are held"
    assert not postgres.holders, f"E9: lanes are locked: {sorted(postgres.holders)}"
    for name, log in cluster.broker.logs.items():
        assert not log.open, f"E9: a transaction is open in {name}"


class Answers:
    """Who paid, as the database answered while the history went on."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._given: list[tuple[int, Key, datetime, str | None]] = []

    def ask(self, drawn: float) -> None:
        """Ask about instants that are final."""
        tables = self._cluster.postgres.tables
        projects = list(tables.bindings)
        if not projects:
            return
        key = projects[int(drawn * len(projects))]
        lane = tables.projects[key].lane
        rows, through = tables.bindings[key], tables.lanes[lane].latest_at
        for at in (through, min(through, rows[int(drawn * 1000) % len(rows)].since)):
            self._given.append((lane, key, at, payer(tables, key, at)))

    def stand(self) -> None:
        """E10: asked again, the answer is the same, as long as the database still is as far."""
        tables = self._cluster.postgres.tables
        for lane, key, at, given in self._given:
            if lane in tables.lanes and tables.lanes[lane].latest_at >= at:
                now = payer(tables, key, at)
                assert now == given, f"E10: who paid for {key} at {at}: {given}, and now {now}"


def payer(tables: Tables, key: Key, at: datetime) -> str | None:
    """Who pays for a project at an instant, by the table of bindings."""
    for row in tables.bindings.get(key, ()):
        if row.since <= at and (row.until is None or at < row.until):
            return row.account
    return None
