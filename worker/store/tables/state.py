"""Accounts, their holds, projects and their bindings."""

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
from sqlalchemy.dialects.postgresql import JSON, UUID

from worker.store.tables.columns import Id, Instant, metadata


def _is_label(column: str) -> CheckConstraint:
    # not as one pattern with a bounded repetition: that costs 12 microseconds a time, this less than one
    rule = f"{column} !~ '[^a-z0-9-]|^-|-$' AND length({column}) BETWEEN 1 AND 63"
    return CheckConstraint(rule, name=f"{column}_is_a_dns_label")


accounts = Table(
    "accounts",
    metadata,
    Column("organization", Id),
    Column("account", Id),
    Column("sequence", BigInteger, nullable=False),
    Column("phase", Text, nullable=False),
    Column("phase_since", Instant, nullable=False),
    Column("currency", Text, nullable=False),
    Column("net_days", Integer, nullable=False),
    Column("invoice_day_of_month", Integer, nullable=False),
    Column("invoice_frequency", Text, nullable=False),
    Column("display_name", Text),
    Column("contact_email", Text),
    Column("contact_name", Text),
    Column("labels", JSON, nullable=False),  # json keeps the order of names, jsonb does not; the order is published
    Column("activated_at", Instant),
    *(
        Column(f"{place}_{name}", kind)
        for place in ("serving", "pending")
        for name, kind in (
            ("type", Text),
            ("external_id", Text),
            ("status", Text),
            ("valid_until", Instant),
            ("cause", Text),
        )
    ),
    Column("holds_active", Integer, nullable=False),
    Column("scheduled", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("deleted_at", Instant),
    Column("active_bindings", BigInteger, nullable=False),
    Column("last_binding_until", Instant),
    PrimaryKeyConstraint("organization", "account", name="an_account_id_is_used_once"),
    _is_label("organization"),
    _is_label("account"),
    CheckConstraint("sequence > 0", name="a_sequence_is_positive"),
    CheckConstraint("phase IN ('Provisioning', 'Ready', 'Suspended', 'Archived')", name="a_phase_is_known"),
    CheckConstraint("currency ~ '^[A-Z][A-Z][A-Z]$'", name="a_currency_is_three_capitals"),
    CheckConstraint("net_days BETWEEN 1 AND 365", name="net_days_are_within_a_year"),
    CheckConstraint("invoice_day_of_month BETWEEN 1 AND 28", name="an_invoice_day_is_in_every_month"),
    CheckConstraint("invoice_frequency IN ('Monthly', 'Quarterly', 'Annual')", name="an_invoice_frequency_is_known"),
    CheckConstraint("contact_name IS NULL OR contact_email IS NOT NULL", name="a_contact_has_an_email"),
    CheckConstraint("json_typeof(labels) = 'object'", name="labels_are_an_object"),
    CheckConstraint("json_typeof(scheduled) = 'array'", name="scheduled_suspensions_are_a_list"),
    CheckConstraint("phase <> 'Ready' OR activated_at IS NOT NULL", name="a_ready_account_was_activated"),
    CheckConstraint(
        "phase <> 'Provisioning' OR activated_at IS NULL", name="a_provisioning_account_never_was_activated"
    ),
    CheckConstraint("phase = 'Archived' OR (phase = 'Suspended') = (holds_active > 0)", name="holds_alone_suspend"),
    CheckConstraint("holds_active >= 0", name="holds_are_not_negative"),
    *(
        CheckConstraint(
            f"num_nulls({place}_type, {place}_external_id, {place}_status) IN (0, 3)"
            f" AND ({place}_type IS NOT NULL OR num_nonnulls({place}_valid_until, {place}_cause) = 0)",
            name=f"a_{place}_profile_is_whole",
        )
        for place in ("serving", "pending")
    ),
    CheckConstraint("serving_status IN ('Pending', 'Valid', 'Invalid')", name="a_profile_status_is_known"),
    CheckConstraint("serving_cause IS NULL OR serving_status = 'Invalid'", name="only_an_invalid_profile_has_a_cause"),
    CheckConstraint("pending_status = 'Pending' AND pending_cause IS NULL", name="a_waiting_profile_is_pending"),
    CheckConstraint("active_bindings >= 0", name="active_bindings_are_not_negative"),
    CheckConstraint(
        "active_bindings = 0 OR (deleted_at IS NULL AND phase <> 'Archived')", name="who_is_gone_pays_for_nothing"
    ),
    postgresql_with={"fillfactor": "70"},
)

holds = Table(
    "holds",
    metadata,
    Column("organization", Id),
    Column("account", Id),
    Column("sequence", BigInteger),  # of the event that placed it: the order of placing, also within one instant
    Column("hold", Id, nullable=False),
    Column("reason", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("blocks_rebind", Boolean, nullable=False),
    Column("derived", Boolean, nullable=False),
    Column("placed_by", Text),
    Column("placed_at", Instant, nullable=False),
    Column("released_at", Instant),
    Column("released_by", Text),
    Column("approval_by", Text),
    Column("approval_reference", Text),
    Column("automatic", Boolean, nullable=False, server_default=text("false")),
    PrimaryKeyConstraint("organization", "account", "sequence"),
    ForeignKeyConstraint(
        ["organization", "account"], ["accounts.organization", "accounts.account"], name="a_hold_is_of_an_account"
    ),
    CheckConstraint("hold !~ '[^A-Za-z0-9._-]' AND length(hold) BETWEEN 1 AND 64", name="a_hold_id_is_well_formed"),
    CheckConstraint(
        "reason IN ('NON_PAYMENT', 'SPENDING_LIMIT_REACHED', 'FRAUD_SUSPECTED', 'POLICY_VIOLATION', 'COMPLIANCE_HOLD',"
        " 'ADMINISTRATIVE', 'CUSTOMER_REQUESTED',"
        " 'PAYMENT_PROFILE_INVALID', 'PAYMENT_PROFILE_EXPIRED', 'PAYMENT_PROFILE_MISSING')",
        name="a_hold_reason_is_known",
    ),
    CheckConstraint("released_at >= placed_at", name="a_hold_is_released_after_it_was_placed"),
    CheckConstraint("num_nulls(approval_by, approval_reference) IN (0, 2)", name="an_approval_is_whole"),
    CheckConstraint("NOT (automatic AND approval_by IS NOT NULL)", name="what_goes_by_itself_needs_no_approval"),
    CheckConstraint(
        "released_at IS NOT NULL OR (num_nonnulls(released_by, approval_by) = 0 AND NOT automatic)",
        name="only_a_released_hold_was_released_by_somebody",
    ),
    Index(
        "one_active_hold_per_id",
        "organization",
        "account",
        "hold",
        unique=True,
        postgresql_where=text("released_at IS NULL"),
    ),
    Index(
        "one_active_profile_hold_per_account",
        "organization",
        "account",
        unique=True,
        postgresql_where=text(
            "released_at IS NULL AND reason IN"
            " ('PAYMENT_PROFILE_INVALID', 'PAYMENT_PROFILE_EXPIRED', 'PAYMENT_PROFILE_MISSING')"
        ),
    ),
)

projects = Table(
    "projects",
    metadata,
    Column("organization", Id),
    Column("project", Id),
    Column("sequence", BigInteger, nullable=False),
    Column("registered_at", Instant, nullable=False),
    Column("locked", Boolean, nullable=False),
    Column("deleted_at", Instant),
    PrimaryKeyConstraint("organization", "project", name="a_project_id_is_used_once"),
    _is_label("organization"),
    _is_label("project"),
    CheckConstraint("sequence > 0", name="a_sequence_is_positive"),
    CheckConstraint("NOT (locked AND deleted_at IS NOT NULL)", name="a_lock_ends_with_the_project"),
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
