"""Accounts, holds, phases, projects and bindings"""

from alembic import op

revision = "accounts_and_bindings"
down_revision = None
branch_labels = None
depends_on = None
only_adds = False


def is_label(column: str) -> str:
    # not as one pattern with a bounded repetition: that costs 12 microseconds a time, this less than one
    return f"CHECK ({column} !~ '[^a-z0-9-]|^-|-$' AND length({column}) BETWEEN 1 AND 63)"


ACCOUNTS = f"""
CREATE TABLE accounts (
    organization text COLLATE "C",
    account text COLLATE "C",
    lane integer NOT NULL,
    sequence bigint NOT NULL,
    phase text NOT NULL,
    phase_since timestamptz NOT NULL,
    currency text NOT NULL,
    net_days integer NOT NULL,
    invoice_day_of_month integer NOT NULL,
    invoice_frequency text NOT NULL,
    display_name text,
    contact_email text,
    contact_name text,
    labels json NOT NULL,
    activated_at timestamptz,
    serving_type text,
    serving_external_id text,
    serving_status text,
    serving_valid_until timestamptz,
    serving_cause text,
    pending_type text,
    pending_external_id text,
    pending_status text,
    pending_valid_until timestamptz,
    pending_cause text,
    holds_active integer NOT NULL,
    scheduled json NOT NULL,
    notices_kind text,
    notices_after text COLLATE "C",
    due_at timestamptz,
    created_at timestamptz NOT NULL,
    deleted_at timestamptz,
    active_bindings bigint NOT NULL,
    last_binding_until timestamptz,
    CONSTRAINT an_account_id_is_used_once PRIMARY KEY (organization, account),
    CONSTRAINT organization_is_a_dns_label {is_label("organization")},
    CONSTRAINT account_is_a_dns_label {is_label("account")},
    CONSTRAINT a_lane_is_not_negative CHECK (lane >= 0),
    CONSTRAINT a_sequence_is_positive CHECK (sequence > 0),
    CONSTRAINT a_phase_is_known CHECK (phase IN ('Provisioning', 'Ready', 'Suspended', 'Archived')),
    CONSTRAINT a_currency_is_three_capitals CHECK (currency ~ '^[A-Z][A-Z][A-Z]$'),
    CONSTRAINT net_days_are_within_a_year CHECK (net_days BETWEEN 1 AND 365),
    CONSTRAINT an_invoice_day_is_in_every_month CHECK (invoice_day_of_month BETWEEN 1 AND 28),
    CONSTRAINT an_invoice_frequency_is_known CHECK (invoice_frequency IN ('Monthly', 'Quarterly', 'Annual')),
    CONSTRAINT a_contact_has_an_email CHECK (contact_name IS NULL OR contact_email IS NOT NULL),
    CONSTRAINT labels_are_an_object CHECK (json_typeof(labels) = 'object'),
    CONSTRAINT scheduled_suspensions_are_a_list CHECK (json_typeof(scheduled) = 'array'),
    CONSTRAINT a_ready_account_was_activated CHECK (phase <> 'Ready' OR activated_at IS NOT NULL),
    CONSTRAINT a_provisioning_account_never_was_activated CHECK (phase <> 'Provisioning' OR activated_at IS NULL),
    CONSTRAINT holds_alone_suspend CHECK (phase = 'Archived' OR (phase = 'Suspended') = (holds_active > 0)),
    CONSTRAINT holds_are_not_negative CHECK (holds_active >= 0),
    CONSTRAINT a_serving_profile_is_whole CHECK (
        num_nulls(serving_type, serving_external_id, serving_status) IN (0, 3)
        AND (serving_type IS NOT NULL OR num_nonnulls(serving_valid_until, serving_cause) = 0)
    ),
    CONSTRAINT a_pending_profile_is_whole CHECK (
        num_nulls(pending_type, pending_external_id, pending_status) IN (0, 3)
        AND (pending_type IS NOT NULL OR num_nonnulls(pending_valid_until, pending_cause) = 0)
    ),
    CONSTRAINT a_profile_status_is_known CHECK (serving_status IN ('Pending', 'Valid', 'Invalid')),
    CONSTRAINT only_an_invalid_profile_has_a_cause CHECK (serving_cause IS NULL OR serving_status = 'Invalid'),
    CONSTRAINT a_waiting_profile_is_pending CHECK (pending_status = 'Pending' AND pending_cause IS NULL),
    CONSTRAINT notices_are_whole CHECK (num_nulls(notices_kind, notices_after) IN (0, 2)),
    CONSTRAINT notices_tell_of_the_present_phase CHECK (
        notices_kind IS NULL OR (notices_kind, phase) IN (('AT_RISK', 'Suspended'), ('RESTORED', 'Ready'))
    ),
    CONSTRAINT notices_are_due CHECK (notices_kind IS NULL OR due_at IS NOT NULL),
    CONSTRAINT who_is_gone_waits_for_nothing CHECK (
        (due_at IS NULL AND scheduled::text = '[]') OR (deleted_at IS NULL AND phase <> 'Archived')
    ),
    CONSTRAINT active_bindings_are_not_negative CHECK (active_bindings >= 0),
    CONSTRAINT who_is_gone_pays_for_nothing CHECK (
        active_bindings = 0 OR (deleted_at IS NULL AND phase <> 'Archived')
    )
) WITH (fillfactor = 70)
"""
DUE_ACCOUNTS = "CREATE INDEX due_accounts ON accounts (lane, due_at, organization, account) WHERE due_at IS NOT NULL"

HOLDS = """
CREATE TABLE holds (
    organization text COLLATE "C",
    account text COLLATE "C",
    sequence bigint,
    hold text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    message text NOT NULL,
    blocks_rebind boolean NOT NULL,
    derived boolean NOT NULL,
    placed_by text,
    placed_at timestamptz NOT NULL,
    released_at timestamptz,
    released_by text,
    approval_by text,
    approval_reference text,
    automatic boolean NOT NULL DEFAULT false,
    CONSTRAINT holds_pkey PRIMARY KEY (organization, account, sequence),
    CONSTRAINT a_hold_is_of_an_account FOREIGN KEY (organization, account) REFERENCES accounts (organization, account),
    CONSTRAINT a_hold_id_is_well_formed CHECK (hold !~ '[^A-Za-z0-9._-]' AND length(hold) BETWEEN 1 AND 64),
    CONSTRAINT a_hold_reason_is_known CHECK (
        reason IN (
            'NON_PAYMENT', 'SPENDING_LIMIT_REACHED', 'FRAUD_SUSPECTED', 'POLICY_VIOLATION', 'COMPLIANCE_HOLD',
            'ADMINISTRATIVE', 'CUSTOMER_REQUESTED',
            'PAYMENT_PROFILE_INVALID', 'PAYMENT_PROFILE_EXPIRED', 'PAYMENT_PROFILE_MISSING'
        )
    ),
    CONSTRAINT a_hold_is_released_after_it_was_placed CHECK (released_at >= placed_at),
    CONSTRAINT an_approval_is_whole CHECK (num_nulls(approval_by, approval_reference) IN (0, 2)),
    CONSTRAINT what_goes_by_itself_needs_no_approval CHECK (NOT (automatic AND approval_by IS NOT NULL)),
    CONSTRAINT only_a_released_hold_was_released_by_somebody CHECK (
        released_at IS NOT NULL OR (num_nonnulls(released_by, approval_by) = 0 AND NOT automatic)
    )
)
"""
HOLD_KEYS = (
    "CREATE UNIQUE INDEX one_active_hold_per_id ON holds (organization, account, hold) WHERE released_at IS NULL",
    """
CREATE UNIQUE INDEX one_active_profile_hold_per_account ON holds (organization, account)
    WHERE released_at IS NULL
    AND reason IN ('PAYMENT_PROFILE_INVALID', 'PAYMENT_PROFILE_EXPIRED', 'PAYMENT_PROFILE_MISSING')
""",
    """
CREATE TRIGGER a_hold_is_released_once BEFORE UPDATE ON holds FOR EACH ROW
    WHEN (
        OLD.released_at IS NOT NULL OR NEW.released_at IS NULL
        OR (OLD.organization, OLD.account, OLD.sequence, OLD.hold, OLD.reason, OLD.message,
            OLD.blocks_rebind, OLD.derived, OLD.placed_by, OLD.placed_at)
        IS DISTINCT FROM
           (NEW.organization, NEW.account, NEW.sequence, NEW.hold, NEW.reason, NEW.message,
            NEW.blocks_rebind, NEW.derived, NEW.placed_by, NEW.placed_at)
    )
    EXECUTE FUNCTION refuse_rewriting()
""",
)

PHASES = """
CREATE TABLE phases (
    organization text COLLATE "C",
    account text COLLATE "C",
    sequence bigint,
    at timestamptz NOT NULL,
    phase text NOT NULL,
    reason text NOT NULL,
    CONSTRAINT one_phase_begins_with_an_event PRIMARY KEY (organization, account, sequence),
    CONSTRAINT a_phase_is_of_an_account FOREIGN KEY (organization, account) REFERENCES accounts (organization, account),
    CONSTRAINT a_phase_is_known CHECK (phase IN ('Provisioning', 'Ready', 'Suspended', 'Archived')),
    CONSTRAINT an_account_is_provisioning_at_first CHECK (
        (sequence = 2) = (reason = 'CREATED') AND (sequence > 2 OR phase = 'Provisioning')
    ),
    CONSTRAINT an_archived_account_was_closed CHECK ((phase = 'Archived') = (reason = 'CLOSED'))
)
"""
PHASE_KEYS = """
CREATE TRIGGER a_phase_is_written_once BEFORE UPDATE ON phases FOR EACH ROW EXECUTE FUNCTION refuse_rewriting()
"""

PROJECTS = f"""
CREATE TABLE projects (
    organization text COLLATE "C",
    project text COLLATE "C",
    lane integer NOT NULL,
    sequence bigint NOT NULL,
    registered_at timestamptz NOT NULL,
    locked boolean NOT NULL,
    at_risk boolean NOT NULL,
    deleted_at timestamptz,
    tombstoned boolean NOT NULL,
    due_at timestamptz,
    CONSTRAINT a_project_id_is_used_once PRIMARY KEY (organization, project),
    CONSTRAINT organization_is_a_dns_label {is_label("organization")},
    CONSTRAINT project_is_a_dns_label {is_label("project")},
    CONSTRAINT a_lane_is_not_negative CHECK (lane >= 0),
    CONSTRAINT a_sequence_is_positive CHECK (sequence > 0),
    CONSTRAINT a_project_is_deleted_after_it_was_registered CHECK (registered_at <= deleted_at),
    CONSTRAINT a_lock_ends_with_the_project CHECK (NOT (locked AND deleted_at IS NOT NULL)),
    CONSTRAINT a_risk_ends_with_the_project CHECK (NOT (at_risk AND deleted_at IS NOT NULL)),
    CONSTRAINT only_a_deleted_project_has_a_tombstone CHECK (deleted_at IS NOT NULL OR NOT tombstoned),
    CONSTRAINT a_tombstone_is_due_once_after_the_deletion CHECK (
        due_at IS NULL OR (due_at >= deleted_at AND deleted_at IS NOT NULL AND NOT tombstoned)
    )
) WITH (fillfactor = 70)
"""
PROJECT_KEYS = (
    "CREATE INDEX due_projects ON projects (lane, due_at, organization, project) WHERE due_at IS NOT NULL",
    # Whatever is bound moves its project's number: so nothing is bound to a deleted project either.
    """
CREATE TRIGGER a_deleted_project_stays_as_it_is BEFORE UPDATE ON projects FOR EACH ROW
    WHEN (
        OLD.deleted_at IS NOT NULL
        AND ((OLD.sequence, OLD.registered_at, OLD.deleted_at)
            IS DISTINCT FROM (NEW.sequence, NEW.registered_at, NEW.deleted_at)
            OR (OLD.tombstoned AND NOT NEW.tombstoned))
    )
    EXECUTE FUNCTION refuse_rewriting()
""",
)
NOBODY_PAYS = (
    """
CREATE FUNCTION refuse_a_payer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM bindings
        WHERE until = 'infinity' AND ended = 'open' AND organization = NEW.organization AND project = NEW.project
    ) THEN
        RAISE EXCEPTION 'somebody pays for project %/%', NEW.organization, NEW.project
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END
$$
""",
    """
CREATE TRIGGER nobody_pays_for_a_deleted_project AFTER INSERT OR UPDATE ON projects FOR EACH ROW
    WHEN (NEW.deleted_at IS NOT NULL AND NOT NEW.tombstoned) EXECUTE FUNCTION refuse_a_payer()
""",
)

BINDINGS = """
CREATE TABLE bindings (
    organization text COLLATE "C",
    project text COLLATE "C",
    since timestamptz,
    until timestamptz NOT NULL DEFAULT 'infinity',
    prev_until timestamptz,
    heir_since timestamptz GENERATED ALWAYS AS (CASE WHEN ended = 'superseded' THEN until END) STORED,
    binding uuid NOT NULL,
    ended text NOT NULL DEFAULT 'open',
    prev_ended text,
    account text COLLATE "C" NOT NULL,
    currency text NOT NULL,
    CONSTRAINT one_binding_begins_at_an_instant PRIMARY KEY (organization, project, since),
    CONSTRAINT one_open_binding_per_project UNIQUE (until, ended, organization, project),
    CONSTRAINT one_binding_follows_another UNIQUE NULLS NOT DISTINCT (prev_until, organization, project),
    CONSTRAINT a_binding_follows_a_closed_one FOREIGN KEY (organization, project, prev_until, prev_ended)
        REFERENCES bindings (organization, project, until, ended),
    CONSTRAINT who_supersedes_begins_at_that_instant FOREIGN KEY (organization, project, heir_since)
        REFERENCES bindings (organization, project, since) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT an_interval_is_not_empty CHECK (since < until),
    CONSTRAINT an_end_is_known CHECK (ended IN ('open', 'superseded', 'released', 'deleted')),
    CONSTRAINT an_open_binding_has_no_end CHECK ((ended = 'open') = (until = 'infinity')),
    CONSTRAINT a_predecessor_is_whole CHECK ((prev_until IS NULL) = (prev_ended IS NULL)),
    CONSTRAINT a_gap_is_declared CHECK (
        prev_ended IS NULL
        OR (prev_ended = 'superseded' AND since = prev_until)
        OR (prev_ended = 'released' AND since > prev_until)
    )
)
"""
BINDING_KEYS = (
    "CREATE INDEX open_bindings_by_account ON bindings (organization, account, project) WHERE ended = 'open'",
    "CREATE INDEX closed_bindings_by_account ON bindings (organization, account, until) WHERE ended <> 'open'",
    """
CREATE TRIGGER a_binding_is_closed_once BEFORE UPDATE ON bindings FOR EACH ROW
    WHEN (
        OLD.ended <> 'open' OR NEW.ended = 'open'
        OR (OLD.organization, OLD.project, OLD.since, OLD.prev_until, OLD.prev_ended,
            OLD.binding, OLD.account, OLD.currency)
        IS DISTINCT FROM
           (NEW.organization, NEW.project, NEW.since, NEW.prev_until, NEW.prev_ended,
            NEW.binding, NEW.account, NEW.currency)
    )
    EXECUTE FUNCTION refuse_rewriting()
""",
)

REFUSE_REWRITING = """
CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the history in % is not rewritten', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
END
$$
"""


STATEMENTS = (
    *(REFUSE_REWRITING, ACCOUNTS, DUE_ACCOUNTS, HOLDS, *HOLD_KEYS, PHASES, PHASE_KEYS),
    *(PROJECTS, *PROJECT_KEYS, *NOBODY_PAYS, BINDINGS, *BINDING_KEYS),
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for table in ("bindings", "projects", "phases", "holds", "accounts"):
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP FUNCTION refuse_rewriting, refuse_a_payer")
