"""The installation, lanes, journal, inbox and the rules in force"""

from alembic import op
from sqlalchemy import text

revision = "lanes_and_journal"
down_revision = "accounts_and_bindings"
branch_labels = None
depends_on = None
only_adds = False

INBOX_PARTS = 8
PIECE_OFFSETS = 500_000
PIECES_AT_ONCE_MAX = 64

INSTALLATION = """
CREATE TABLE installation (
    singleton boolean DEFAULT true,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    commands_topic text,
    partitions integer,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT installation_pkey PRIMARY KEY (singleton),
    CONSTRAINT one_installation_per_database CHECK (singleton),
    CONSTRAINT topic_and_partitions_are_declared_together CHECK ((commands_topic IS NULL) = (partitions IS NULL)),
    CONSTRAINT a_topic_has_partitions CHECK (partitions > 0)
)
"""

LANES = """
CREATE TABLE lanes (
    partition integer,
    epoch bigint NOT NULL,
    next_offset bigint NOT NULL,
    latest_at timestamptz NOT NULL,
    fingerprint_offset bigint,
    fingerprint_timestamp bigint,
    fingerprint_hash bytea,
    published bigint NOT NULL,
    horizon_offset bigint,
    stopped text,
    CONSTRAINT lanes_pkey PRIMARY KEY (partition),
    CONSTRAINT a_partition_is_not_negative CHECK (partition >= 0),
    CONSTRAINT an_epoch_is_positive CHECK (epoch > 0),
    CONSTRAINT an_offset_is_not_negative CHECK (next_offset >= 0),
    CONSTRAINT only_what_was_decided_is_published CHECK (published BETWEEN 0 AND next_offset),
    CONSTRAINT a_fingerprint_is_whole CHECK (
        num_nulls(fingerprint_offset, fingerprint_timestamp, fingerprint_hash) IN (0, 3)
    ),
    CONSTRAINT the_fingerprint_is_of_a_record_before CHECK (fingerprint_offset < next_offset)
) WITH (fillfactor = 10)
"""

RULES = """
CREATE TABLE rules (
    lane integer,
    from_offset bigint,
    rules jsonb NOT NULL,
    CONSTRAINT rules_pkey PRIMARY KEY (lane, from_offset)
)
"""

INBOX = """
CREATE TABLE inbox (
    organization text COLLATE "C",
    command_id text COLLATE "C",
    content_hash bytea NOT NULL,
    lane integer NOT NULL,
    "offset" bigint NOT NULL,
    at timestamptz NOT NULL,
    outcome text NOT NULL,
    result bytea NOT NULL,
    CONSTRAINT a_command_id_is_used_once PRIMARY KEY (organization, command_id),
    CONSTRAINT an_outcome_is_known CHECK (outcome IN ('accepted', 'rejected'))
) PARTITION BY HASH (organization)
"""

JOURNAL = """
CREATE TABLE journal (
    lane integer,
    "offset" bigint,
    index integer,
    at timestamptz NOT NULL,
    topic text NOT NULL,
    key bytea,
    value bytea,
    headers bytea,
    CONSTRAINT journal_pkey PRIMARY KEY (lane, "offset", index)
) PARTITION BY LIST (lane)
"""

# The runtime role may create nothing. These run with the rights of whoever migrated, for exactly this.
# A table is made first and attached then: that leaves the other lanes' writers alone, CREATE ... PARTITION OF does not.
ENSURE_PIECES = """
CREATE FUNCTION ensure_journal_pieces(of_lane integer, from_offset bigint, to_offset bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp AS $$
DECLARE
    lane_table constant text := format('journal_%s', of_lane);
    piece_table text;
    writer text;
    created integer := 0;
BEGIN
    IF of_lane < 0 OR from_offset < 0 OR to_offset <= from_offset
        OR (to_offset - 1) / {piece} - from_offset / {piece} >= {pieces_max} THEN
        RAISE EXCEPTION 'no such stretch of a journal: lane %, [%, %)', of_lane, from_offset, to_offset
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended(lane_table, 0));
    IF to_regclass(lane_table) IS NULL THEN
        EXECUTE format('CREATE TABLE {schema}.%I (LIKE journal INCLUDING ALL EXCLUDING INDEXES)', lane_table)
            || ' PARTITION BY RANGE ("offset")';
        EXECUTE format('ALTER TABLE %I ALTER lane SET DEFAULT %s', lane_table, of_lane);
        EXECUTE format('ALTER TABLE journal ATTACH PARTITION %I FOR VALUES IN (%s)', lane_table, of_lane);
        FOR writer IN
            SELECT DISTINCT granted.grantee::regrole::text
            FROM pg_class, aclexplode(relacl) AS granted
            WHERE pg_class.oid = 'journal'::regclass
            AND granted.privilege_type = 'INSERT' AND granted.grantee <> relowner
        LOOP
            EXECUTE format('GRANT SELECT, INSERT ON %I TO %s', lane_table, writer);
        END LOOP;
    END IF;
    FOR piece IN from_offset / {piece} .. (to_offset - 1) / {piece} LOOP
        piece_table := format('journal_%s_%s', of_lane, piece);
        CONTINUE WHEN to_regclass(piece_table) IS NOT NULL;
        EXECUTE format('CREATE TABLE {schema}.%I (LIKE journal INCLUDING ALL EXCLUDING INDEXES)', piece_table);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
            lane_table, piece_table, piece * {piece}, (piece + 1) * {piece});
        created := created + 1;
    END LOOP;
    RETURN created;
END
$$
"""

DROP_PIECES = """
CREATE FUNCTION drop_journal_pieces(of_lane integer, below_offset bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp AS $$
DECLARE
    passed bigint;
    piece_table text;
    dropped integer := 0;
BEGIN
    SELECT least(below_offset, lanes.published) INTO passed FROM lanes WHERE lanes.partition = of_lane;
    FOR piece_table IN
        SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = to_regclass(format('journal_%s', of_lane))
        AND (substring(relname FROM '_([0-9]+)$')::bigint + 1) * {piece} <= passed
    LOOP
        EXECUTE format('DROP TABLE %I', piece_table);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$
"""


def upgrade() -> None:
    for statement in (INSTALLATION, LANES, RULES, INBOX, JOURNAL):
        op.execute(statement)
    op.execute("INSERT INTO installation DEFAULT VALUES")
    for part in range(INBOX_PARTS):
        op.execute(
            f"CREATE TABLE inbox_{part} PARTITION OF inbox FOR VALUES WITH (MODULUS {INBOX_PARTS}, REMAINDER {part})"
        )
        op.execute(f"ALTER INDEX inbox_{part}_pkey RENAME TO a_command_id_is_used_once_{part}")
    op.execute("CREATE INDEX inbox_by_age ON inbox USING brin (at)")
    schema = op.get_bind().execute(text("SELECT quote_ident(current_schema())")).scalar_one()
    for function in (ENSURE_PIECES, DROP_PIECES):
        op.execute(function.format(schema=schema, piece=PIECE_OFFSETS, pieces_max=PIECES_AT_ONCE_MAX))
    op.execute("REVOKE EXECUTE ON FUNCTION ensure_journal_pieces, drop_journal_pieces FROM PUBLIC")


def downgrade() -> None:
    op.execute("DROP FUNCTION ensure_journal_pieces, drop_journal_pieces")
    for table in ("journal", "inbox", "rules", "lanes", "installation"):
        op.execute(f"DROP TABLE {table}")
