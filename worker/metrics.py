"""Every metric that the worker exposes, with its meaning: the one registry of names."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

COMMANDS = Counter("billing_commands", "Commands decided, by outcome.", ["outcome"], registry=REGISTRY)
BATCH_SECONDS = Histogram(
    "billing_batch_seconds",
    "From the first statement of a batch to its COMMIT.",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15),
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
    "One publishing transaction, from its begin to its commit.",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15),
    registry=REGISTRY,
)
RECORDS_PUBLISHED = Counter("billing_records_published", "Records published, by topic.", ["topic"], registry=REGISTRY)
LANES = Gauge("billing_lanes", "Lanes of this worker, by what they are doing.", ["state"], registry=REGISTRY)
LANE_OFFSET = Gauge("billing_lane_offset", "Offset of the next command to decide.", ["lane"], registry=REGISTRY)
LANE_UNPUBLISHED = Gauge(
    "billing_lane_unpublished", "Offsets decided and not known to be published.", ["lane"], registry=REGISTRY
)
FENCED = Counter("billing_lanes_fenced", "Lanes lost to another worker in the midst of work.", registry=REGISTRY)
DEFECTS = Counter("billing_defects", "Commands answered INTERNAL_ERROR.", registry=REGISTRY)
REBALANCES = Counter("billing_rebalances", "Assignments received from the group.", registry=REGISTRY)
