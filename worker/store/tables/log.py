"""Where each lane stands, what it answered, and what it sends."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSON, JSONB, UUID

from worker.store.tables.columns import Id, Instant, metadata

installation = Table(
    "installation",
    metadata,
    Column("singleton", Boolean, primary_key=True, server_default=text("true")),
    Column("id", UUID, nullable=False, server_default=text("gen_random_uuid()")),
    Column("commands_topic", Text),
    Column("partitions", Integer),
    Column("created_at", Instant, nullable=False, server_default=text("now()")),
    CheckConstraint("singleton", name="one_installation_per_database"),
    CheckConstraint(
        "(commands_topic IS NULL) = (partitions IS NULL)", name="topic_and_partitions_are_declared_together"
    ),
    CheckConstraint("partitions > 0", name="a_topic_has_partitions"),
)

lanes = Table(
    "lanes",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    Column("latest_at", Instant, nullable=False),
    Column("fingerprint_offset", BigInteger),
    Column("fingerprint_timestamp", BigInteger),
    Column("fingerprint_hash", LargeBinary),
    Column("published", BigInteger, nullable=False),
    Column("horizon_offset", BigInteger),
    Column("stopped", Text),
    CheckConstraint("partition >= 0", name="a_partition_is_not_negative"),
    CheckConstraint("epoch > 0", name="an_epoch_is_positive"),
    CheckConstraint("next_offset >= 0", name="an_offset_is_not_negative"),
    CheckConstraint("published BETWEEN 0 AND next_offset", name="only_what_was_decided_is_published"),
    CheckConstraint(
        "num_nulls(fingerprint_offset, fingerprint_timestamp, fingerprint_hash) IN (0, 3)",
        name="a_fingerprint_is_whole",
    ),
    CheckConstraint("fingerprint_offset < next_offset", name="the_fingerprint_is_of_a_record_before"),
    postgresql_with={"fillfactor": "10"},
)

rules = Table(
    "rules",
    metadata,
    Column("lane", Integer),
    Column("from_offset", BigInteger),
    Column("rules", JSONB, nullable=False),
    PrimaryKeyConstraint("lane", "from_offset"),
)

inbox = Table(
    "inbox",
    metadata,
    Column("organization", Id),
    Column("command_id", Id),
    Column("content_hash", LargeBinary, nullable=False),
    Column("lane", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("result", LargeBinary, nullable=False),
    PrimaryKeyConstraint("organization", "command_id", name="a_command_id_is_used_once"),
    CheckConstraint("outcome IN ('accepted', 'rejected')", name="an_outcome_is_known"),
    Index("inbox_by_age", "at", postgresql_using="brin"),
    postgresql_partition_by="HASH (organization)",
)

journal = Table(
    "journal",
    metadata,
    Column("lane", Integer),
    Column("offset", BigInteger),
    Column("index", Integer),
    Column("at", Instant, nullable=False),
    Column("topic", Text, nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    Column("headers", LargeBinary),
    PrimaryKeyConstraint("lane", "offset", "index"),
    postgresql_partition_by="LIST (lane)",
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", Instant, nullable=False, server_default=text("clock_timestamp()")),
    Column("who", Text, nullable=False),
    Column("command", Text, nullable=False),
    Column("arguments", JSON, nullable=False),
    Column("outcome", JSON, nullable=False),
    CheckConstraint("who <> ''", name="somebody_did_it"),
)
