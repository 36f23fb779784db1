"""Every metric that the worker exposes, with its meaning: the one registry of names."""

from prometheus_client import CollectorRegistry, Counter, Histogram

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
