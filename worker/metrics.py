"""Every metric that the worker exposes, with its meaning: the one registry of names."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15)

COMMANDS = Counter("billing_commands", "Commands decided, by outcome.", ["outcome"], registry=REGISTRY)
DEAD_LETTERS = Counter("billing_dead_letters", "Records put aside, by reason.", ["reason"], registry=REGISTRY)
DEFECTS = Counter(
    "billing_defects",
    "Commands that made the program or a constraint fail; answered INTERNAL_ERROR.",
    registry=REGISTRY,
)
ATTRIBUTES_IGNORED = Counter(
    "billing_attributes_ignored",
    "Optional attributes of commands that were bad and do not count, such as a traceparent.",
    ["attribute"],
    registry=REGISTRY,
)
BATCH_SECONDS = Histogram(
    "billing_batch_seconds",
    "From the first statement of a batch to its COMMIT.",
    buckets=_SECONDS,
    registry=REGISTRY,
)
BATCH_COMMANDS = Histogram(
    "billing_batch_commands",
    "Records in a batch.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
    registry=REGISTRY,
)
PUBLISH_SECONDS = Histogram(
    "billing_publish_seconds",
    "From the first record of a publishing transaction to its end.",
    buckets=_SECONDS,
    registry=REGISTRY,
)
RETRIES = Counter(
    "billing_lane_retries",
    "How often a lane put down what it did because of a fault, waited, and took over again; by what was at fault.",
    ["fault"],
    registry=REGISTRY,
)
PRODUCERS_RECREATED = Counter(
    "billing_producers_recreated", "Producers made anew for a lane that this worker owned already.", registry=REGISTRY
)
FENCED = Counter(
    "billing_lanes_fenced", "Lanes that this worker found to be another's in the midst of its work.", registry=REGISTRY
)
REBALANCES = Counter("billing_rebalances", "Assignments that this worker received.", registry=REGISTRY)
GROUP_OFFSETS_MOVED = Counter(
    "billing_group_offsets_moved",
    "Take-overs that found the group's offset elsewhere than the lane's horizon.",
    registry=REGISTRY,
)
EVENT_LOOP_LATE_SECONDS = Gauge(
    "billing_event_loop_late_seconds", "How late the event loop last came to a task that was due.", registry=REGISTRY
)
LANE_STATE = Gauge(
    "billing_lane_state", "1 for the state that a lane of this worker is in.", ["lane", "state"], registry=REGISTRY
)
LANE_LAG = Gauge(
    "billing_lane_lag_records", "Records in a lane's log that are not decided.", ["lane"], registry=REGISTRY
)
LANE_UNPUBLISHED_SECONDS = Gauge(
    "billing_lane_unpublished_age_seconds",
    "Since when the oldest committed record of a lane waits to be published; 0 if none does.",
    ["lane"],
    registry=REGISTRY,
)
LANE_PROGRESS_SECONDS = Gauge(
    "billing_lane_progress_age_seconds",
    "Time since a batch of the lane was last committed.",
    ["lane"],
    registry=REGISTRY,
)
