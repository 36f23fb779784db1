"""What operators did to the records of the system, and how it went"""

from alembic import op

revision = "audit"
down_revision = "lanes_and_journal"
branch_labels = None
depends_on = None
only_adds = True

AUDIT = """
CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    who text NOT NULL,
    command text NOT NULL,
    arguments json NOT NULL,
    outcome json NOT NULL,
    CONSTRAINT audit_pkey PRIMARY KEY (id),
    CONSTRAINT somebody_did_it CHECK (who <> '')
)
"""
KEPT = """
CREATE TRIGGER an_act_is_recorded_once BEFORE UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_rewriting()
"""


def upgrade() -> None:
    op.execute(AUDIT)
    op.execute(KEPT)


def downgrade() -> None:
    op.execute("DROP TABLE audit")
