"""Projects and their bindings."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import UUID

from worker.store.tables.columns import Id, Instant, is_label, metadata

# Triggers see to it that a deleted project stays as it is and that nobody pays for it: only a deletion costs anything.
projects = Table(
    "projects",
    metadata,
    Column("organization", Id),
    Column("project", Id),
    Column("lane", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("registered_at", Instant, nullable=False),
    Column("locked", Boolean, nullable=False),
    Column("at_risk", Boolean, nullable=False),
    Column("deleted_at", Instant),
    Column("tombstoned", Boolean, nullable=False),
    Column("due_at", Instant),
    PrimaryKeyConstraint("organization", "project", name="a_project_id_is_used_once"),
    is_label("organization"),
    is_label("project"),
    CheckConstraint("lane >= 0", name="a_lane_is_not_negative"),
    CheckConstraint("sequence > 0", name="a_sequence_is_positive"),
    CheckConstraint("registered_at <= deleted_at", name="a_project_is_deleted_after_it_was_registered"),
    CheckConstraint("NOT (locked AND deleted_at IS NOT NULL)", name="a_lock_ends_with_the_project"),
    CheckConstraint("NOT (at_risk AND deleted_at IS NOT NULL)", name="a_risk_ends_with_the_project"),
    CheckConstraint("deleted_at IS NOT NULL OR NOT tombstoned", name="only_a_deleted_project_has_a_tombstone"),
    CheckConstraint(
        "due_at IS NULL OR (due_at >= deleted_at AND deleted_at IS NOT NULL AND NOT tombstoned)",
        name="a_tombstone_is_due_once_after_the_deletion",
    ),
    Index("due_projects", "lane", "due_at", "organization", "project", postgresql_where=text("due_at IS NOT NULL")),
    postgresql_with={"fillfactor": "70"},
)

# Intervals chained by keys, so that a B-tree can refuse what overlaps. A row is written once and closed once.
# No keys to accounts and projects: they cost 8-12 microseconds a bind and 11-21 a rebind, a fifth of what PostgreSQL
# spends on a bind in all. `verify` looks for bindings of nobody instead.
bindings = Table(
    "bindings",
    metadata,
    Column("organization", Id),
    Column("project", Id),
    Column("since", Instant),
    Column("until", Instant, nullable=False, server_default=text("'infinity'")),
    Column("prev_until", Instant),
    Column("heir_since", Instant, Computed("CASE WHEN ended = 'superseded' THEN until END", persisted=True)),
    Column("binding", UUID, nullable=False),
    Column("ended", Text, nullable=False, server_default=text("'open'")),
    Column("prev_ended", Text),
    Column("account", Id, nullable=False),
    Column("currency", Text, nullable=False),
    PrimaryKeyConstraint("organization", "project", "since", name="one_binding_begins_at_an_instant"),
    # Open means until infinity, so there is room for a single open one. Only the primary key begins with the project:
    # the others would tempt a plan made while the table was empty to read all of a project's history for each check.
    UniqueConstraint("until", "ended", "organization", "project", name="one_open_binding_per_project"),
    UniqueConstraint(
        "prev_until", "organization", "project", name="one_binding_follows_another", postgresql_nulls_not_distinct=True
    ),
    ForeignKeyConstraint(
        ["organization", "project", "prev_until", "prev_ended"],
        ["bindings.organization", "bindings.project", "bindings.until", "bindings.ended"],
        name="a_binding_follows_a_closed_one",
    ),
    ForeignKeyConstraint(
        ["organization", "project", "heir_since"],
        ["bindings.organization", "bindings.project", "bindings.since"],
        name="who_supersedes_begins_at_that_instant",
        deferrable=True,
        initially="DEFERRED",
    ),
    CheckConstraint("since < until", name="an_interval_is_not_empty"),
    CheckConstraint("ended IN ('open', 'superseded', 'released', 'deleted')", name="an_end_is_known"),
    CheckConstraint("(ended = 'open') = (until = 'infinity')", name="an_open_binding_has_no_end"),
    CheckConstraint("(prev_until IS NULL) = (prev_ended IS NULL)", name="a_predecessor_is_whole"),
    CheckConstraint(
        "prev_ended IS NULL OR (prev_ended = 'superseded' AND since = prev_until)"
        " OR (prev_ended = 'released' AND since > prev_until)",
        name="a_gap_is_declared",
    ),
    Index("open_bindings_by_account", "organization", "account", "project", postgresql_where=text("ended = 'open'")),
    Index("closed_bindings_by_account", "organization", "account", "until", postgresql_where=text("ended <> 'open'")),
)
