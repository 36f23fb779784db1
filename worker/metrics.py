"""Every metric that the worker exposes, with kind, unit, labels and meaning: the one registry of names.

`docs/metrics.md` is written from it. What is counted has its labels from the first scrape on: an increase from nothing
to one is none to Prometheus. No label holds what people wrote, nor an id: each takes the few values listed here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import product
from typing import Final, TypeAlias, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

Values: TypeAlias = tuple[str, ...] | str
"""Every value that a label takes; or, where they hang on the deployment, what they are."""

Labelled = TypeVar("Labelled", Counter, Gauge, Histogram)


@dataclass(frozen=True, slots=True)
class Unit:
    """What the client library does not know of a metric: what is counted or measured, and what its labels take."""

    name: str
    labels: Mapping[str, Values]


disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nothing here reads

REGISTRY: Final = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

UNITS: Final[dict[str, Unit]] = {}

_SECONDS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15)
_LATENCY_SECONDS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60, 300, 1_800, 7_200)
_LATE_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)

_LANE: Final = "number of a partition of the topic of commands"
_OUTCOMES: Final = ("accepted", "rejected", "evaluated", "duplicate", "dead_letter", "tick")
_WHY_UNREADABLE: Final = (
    "EMPTY_VALUE", "TOO_LARGE", "SCHEMA_REGISTRY_FRAMING", "NOT_UTF8", "BYTE_ORDER_MARK", "TOO_DEEP", "NOT_JSON",
    "NOT_A_NUMBER", "NUMBER_TOO_LONG", "DUPLICATE_KEY", "NOT_AN_OBJECT", "DUPLICATE_HEADER", "CONTRADICTING_HEADERS",
    "BAD_ENVELOPE", "INTERNAL_ERROR",
)  # fmt: skip
_EVENTS: Final = (
    "account.created", "account.updated", "account.currency-changed", "account.payment-terms-changed",
    "account.payment-profile-attached", "account.payment-profile-reported", "account.payment-profile-detached",
    "account.hold-placed", "account.hold-released", "account.suspension-scheduled", "account.suspension-cancelled",
    "account.phase-changed", "account.deleted", "project.registered", "project.deleted", "binding.established",
    "binding.superseded", "binding.released", "binding.locked", "binding.unlocked", "project.payer-at-risk",
    "project.payer-restored", "project.payer-missing",
)  # fmt: skip
_STATES: Final = ("taking over", "running", "waiting", "stopped", "fenced", "ended")
_WHY_STOPPED: Final = (
    "log_replaced", "commands_gone", "horizons_lost", "published_ahead", "clock_ahead", "no_append_time",
    "cut_over_unknown", "other_installation", "declared_anew", "other",
)  # fmt: skip


def _described(metric: Labelled, name: str, unit: str, labels: Mapping[str, Values]) -> Labelled:
    UNITS[name] = Unit(unit, labels)
    return metric


def _counter(name: str, meaning: str, *, unit: str, **labels: Values) -> Counter:
    counter = Counter(name, meaning, tuple(labels), registry=REGISTRY)
    known = [values for values in labels.values() if not isinstance(values, str)]
    if known and len(known) == len(labels):
        for values in product(*known):
            counter.labels(*values)
    return _described(counter, name, unit, labels)


def _gauge(name: str, meaning: str, *, unit: str, **labels: Values) -> Gauge:
    return _described(Gauge(name, meaning, tuple(labels), registry=REGISTRY), name, unit, labels)


def _histogram(name: str, meaning: str, buckets: Sequence[float], *, unit: str) -> Histogram:
    return _described(Histogram(name, meaning, buckets=buckets, registry=REGISTRY), name, unit, {})


def release() -> str:
    """The one that runs."""
    try:
        return version("billing-worker")
    except PackageNotFoundError:
        return "unknown"


BUILD = Info("billing_build", "The release that runs.", registry=REGISTRY)
BUILD.info({"version": release()})
UNITS["billing_build"] = Unit("1", {"version": "the release"})

READY = _gauge("billing_ready", "Whether /readyz says yes: 1, else 0.", unit="1")

COMMANDS = _counter("billing_commands", "Records decided, by outcome.", unit="records", outcome=_OUTCOMES)
EVENTS = _counter("billing_events", "Events brought about, by type.", unit="events", event=_EVENTS)
DEAD_LETTERS = _counter("billing_dead_letters", "Records put aside, by reason.", unit="records", reason=_WHY_UNREADABLE)
PAYERS_MISSING = _counter(
    "billing_payers_missing",
    "Projects that came to be without a payer: unbound, or registered and not bound yet.",
    unit="projects",
    reason=("UNBOUND", "REGISTERED"),
)
PAYERS_MISSING_ENDED = _counter(
    "billing_payers_missing_ended",
    "Projects without a payer that were given one or deleted. Over the same time, the difference to "
    "billing_payers_missing_total is by how many projects more or fewer have none.",
    unit="projects",
)
DEFECTS = _counter(
    "billing_defects",
    "Commands that made the program or a constraint of the database fail; answered INTERNAL_ERROR.",
    unit="records",
)
BATCH_DEFECTS = _counter(
    "billing_batch_defects",
    "Batches that failed otherwise than by a fault of a machine, and were tried again: a constraint, or a state in "
    "the database that is not the one that was read.",
    unit="batches",
)
ATTRIBUTES_IGNORED = _counter(
    "billing_attributes_ignored",
    "Optional attributes of commands that were bad and do not count.",
    unit="attributes",
    attribute=("correlationid", "traceparent", "tracestate"),
)
BATCH_SECONDS = _histogram(
    "billing_batch_seconds",
    "From asking for a connection to the COMMIT of a batch: loading, deciding, saving.",
    _SECONDS,
    unit="seconds",
)
BATCH_COMMANDS = _histogram(
    "billing_batch_commands", "Records in a batch.", (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000), unit="records"
)
PUBLISH_SECONDS = _histogram(
    "billing_publish_seconds",
    "From the first record of a publishing transaction to its end; one for each transaction.",
    _SECONDS,
    unit="seconds",
)
COMMITTED_LATENCY_SECONDS = _histogram(
    "billing_committed_latency_seconds",
    "From the append time of the oldest record of a batch to its COMMIT, ticks included; one for each batch, so that "
    "none of its records waited longer. The broker's clock and the worker's: what their difference makes negative "
    "counts as 0.",
    _LATENCY_SECONDS,
    unit="seconds",
)
PUBLISHED_LATENCY_SECONDS = _histogram(
    "billing_published_latency_seconds",
    "From the append time of the oldest record of a batch until what it brought about is visible to subscribers; one "
    "for each batch. The same clocks.",
    _LATENCY_SECONDS,
    unit="seconds",
)
RETRIES = _counter(
    "billing_lane_retries",
    "How often a lane put down what it did because of a fault, waited, and took over again; by what was at fault.",
    unit="retries",
    fault=("kafka", "database", "other"),
)
PRODUCERS_RECREATED = _counter(
    "billing_producers_recreated", "Producers made anew for a lane that this worker owned already.", unit="producers"
)
FENCED = _counter(
    "billing_lanes_fenced", "Lanes that this worker found to be another's in the midst of its work.", unit="lanes"
)
REBALANCES = _counter("billing_rebalances", "Assignments that this worker received.", unit="assignments")
GROUP_OFFSETS_MOVED = _counter(
    "billing_group_offsets_moved",
    "Take-overs that found the group's offset elsewhere than the lane's horizon.",
    unit="take-overs",
)
EVENT_LOOP_LATE_SECONDS = _histogram(
    "billing_event_loop_late_seconds",
    "How late the event loop came to a task that was due; four samples a second.",
    _LATE_SECONDS,
    unit="seconds",
)
CONNECTIONS = _gauge("billing_database_connections", "Connections to the database that are open.", unit="connections")
CONNECTIONS_IN_USE = _gauge(
    "billing_database_connections_in_use", "Connections to the database that somebody works with.", unit="connections"
)
CONNECTIONS_MAX = _gauge(
    "billing_database_connections_max", "How many connections there may be: the pool's size.", unit="connections"
)
CONNECTIONS_EXHAUSTED_SECONDS = _counter(
    "billing_database_connections_exhausted_seconds",
    "For how long every connection was in use, so that whoever wanted one waited.",
    unit="seconds",
)
PARTITIONS = _gauge(
    "billing_command_partitions",
    "Partitions of the topic of commands: as many lanes need an owner. 0 if the topic is gone.",
    unit="partitions",
)
LANE_STATE = _gauge(
    "billing_lane_state", "1 for the state that a lane of this worker is in.", unit="1", lane=_LANE, state=_STATES
)
LANE_STOPPED = _gauge(
    "billing_lane_stopped",
    "1 for a lane that waits for an operator's word, by the kind of reason; `billing-worker lanes` has the sentence.",
    unit="1",
    lane=_LANE,
    reason=_WHY_STOPPED,
)
LANE_LAG = _gauge(
    "billing_lane_lag_records", "Records in a lane's log that are not decided.", unit="records", lane=_LANE
)
LANE_UNPUBLISHED_SECONDS = _gauge(
    "billing_lane_unpublished_age_seconds",
    "For how long the oldest committed batch of a lane waits to be published; 0 if none does.",
    unit="seconds",
    lane=_LANE,
)
LANE_PROGRESS_SECONDS = _gauge(
    "billing_lane_progress_age_seconds",
    "Time since a batch of the lane was last committed.",
    unit="seconds",
    lane=_LANE,
)
LANE_HORIZON_SECONDS = _gauge(
    "billing_lane_horizon_age_seconds",
    "How far the instant through which the lane's answers are final and published lies behind this worker's clock."
    " Never negative; none until the lane has published.",
    unit="seconds",
    lane=_LANE,
)
