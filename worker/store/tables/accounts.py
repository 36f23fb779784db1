"""Accounts, their holds and their phases."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSON

from worker.store.tables.columns import Id, Instant, is_label, metadata

accounts = Table(
    "accounts",
    metadata,
    Column("organization", Id),
    Column("account", Id),
    Column("lane", Integer, nullable=False),
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
    Column("notices_kind", Text),
    Column("notices_after", Id),  # the last project that was told; empty before the first
    Column("due_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("deleted_at", Instant),
    Column("active_bindings", BigInteger, nullable=False),
    Column("last_binding_until", Instant),
    PrimaryKeyConstraint("organization", "account", name="an_account_id_is_used_once"),
    is_label("organization"),
    is_label("account"),
    CheckConstraint("lane >= 0", name="a_lane_is_not_negative"),
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
    CheckConstraint("num_nulls(notices_kind, notices_after) IN (0, 2)", name="notices_are_whole"),
    CheckConstraint(
        "notices_kind IS NULL OR (notices_kind, phase) IN (('AT_RISK', 'Suspended'), ('RESTORED', 'Ready'))",
        name="notices_tell_of_the_present_phase",
    ),
    CheckConstraint("notices_kind IS NULL OR due_at IS NOT NULL", name="notices_are_due"),
    # as text: what json_array_length makes of anything but a list is an error without a name
    CheckConstraint(
        "(due_at IS NULL AND scheduled::text = '[]') OR (deleted_at IS NULL AND phase <> 'Archived')",
        name="who_is_gone_waits_for_nothing",
    ),
    CheckConstraint("active_bindings >= 0", name="active_bindings_are_not_negative"),
    CheckConstraint(
        "active_bindings = 0 OR (deleted_at IS NULL AND phase <> 'Archived')", name="who_is_gone_pays_for_nothing"
    ),
    Index("due_accounts", "lane", "due_at", "organization", "account", postgresql_where=text("due_at IS NOT NULL")),
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

# That a phase begins where the one before it ends needs no key: no end is kept.
phases = Table(
    "phases",
    metadata,
    Column("organization", Id),
    Column("account", Id),
    Column("sequence", BigInteger),  # of the event that began it
    Column("at", Instant, nullable=False),
    Column("phase", Text, nullable=False),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("organization", "account", "sequence", name="one_phase_begins_with_an_event"),
    ForeignKeyConstraint(
        ["organization", "account"], ["accounts.organization", "accounts.account"], name="a_phase_is_of_an_account"
    ),
    CheckConstraint("phase IN ('Provisioning', 'Ready', 'Suspended', 'Archived')", name="a_phase_is_known"),
    CheckConstraint(
        "(sequence = 2) = (reason = 'CREATED') AND (sequence > 2 OR phase = 'Provisioning')",
        name="an_account_is_provisioning_at_first",
    ),
    CheckConstraint("(phase = 'Archived') = (reason = 'CLOSED')", name="an_archived_account_was_closed"),
)
