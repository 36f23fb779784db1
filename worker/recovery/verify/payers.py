"""Claims about projects, their bindings and who pays."""

from typing import Final

from worker.recovery.verify.statements import SqlCheck, claim

PAYERS: Final[tuple[SqlCheck, ...]] = (
    claim(
        "bindings_are_of_known_accounts",
        "Whoever pays or paid is an account of the organization.",
        "bindings",
        (
            "bindings",
            """
            SELECT b.organization, b.project, b.since, b.account
            FROM bindings AS b
            LEFT JOIN accounts AS a ON a.organization = b.organization AND a.account = b.account
            WHERE ONLY(b) AND a.account IS NULL
            """,
        ),
    ),
    claim(
        "bindings_are_of_known_projects",
        "Whatever is or was paid for is a project of the organization.",
        "bindings",
        (
            "bindings",
            """
            SELECT b.organization, b.project, b.since, b.account
            FROM bindings AS b
            LEFT JOIN projects AS p ON p.organization = b.organization AND p.project = b.project
            WHERE ONLY(b) AND p.project IS NULL
            """,
        ),
    ),
    claim(
        "timelines_have_no_overlap_and_no_undeclared_gap",
        "Of a project, each interval begins where the one before ended if that was superseded, later if it was"
        " released, never after a deletion; only the last is open.",
        "bindings",
        (
            "bindings",
            """
            SELECT b.organization, b.project, b.since, b.until, b.ended, b.before_until, b.before_ended,
                b.prev_until, b.prev_ended, b.heir_since, b.following
            FROM (
                SELECT b.*, lag(nullif(b.until, 'infinity')) OVER w AS before_until,
                    lag(b.ended) OVER w AS before_ended, lead(b.since) OVER w AS following
                FROM bindings AS b WHERE ONLY(b)
                WINDOW w AS (PARTITION BY b.organization, b.project ORDER BY b.since)
            ) AS b
            WHERE (b.prev_until, b.prev_ended) IS DISTINCT FROM (b.before_until, b.before_ended)
            OR NOT CASE b.before_ended
                WHEN 'superseded' THEN b.since = b.before_until
                WHEN 'released' THEN b.since > b.before_until
                ELSE b.before_ended IS NULL
            END
            OR (b.ended = 'superseded' AND b.following IS DISTINCT FROM b.until)
            OR b.heir_since IS DISTINCT FROM CASE WHEN b.ended = 'superseded' THEN b.until END
            """,
        ),
    ),
    claim(
        "a_project_has_one_open_binding_at_most",
        "Of a project, at most one binding is open, and it is the last one.",
        "bindings",
        (
            "bindings",
            """
            SELECT b.organization, b.project, count(*) FILTER (WHERE b.ended = 'open') AS open,
                max(b.since) FILTER (WHERE b.ended = 'open') AS open_since, max(b.since) AS last_since
            FROM bindings AS b WHERE ONLY(b) GROUP BY b.organization, b.project
            HAVING count(*) FILTER (WHERE b.ended = 'open') > 1
            OR max(b.since) FILTER (WHERE b.ended = 'open') < max(b.since)
            """,
        ),
    ),
    claim(
        "who_is_gone_pays_for_nothing_and_nobody_pays_for_what_is_gone",
        "An open binding is of an account that is neither Archived nor deleted and of a project that is not deleted;"
        " a binding that a deletion ended is of a project deleted at that instant.",
        "bindings",
        (
            "bindings",
            """
            SELECT b.organization, b.project, b.since, b.until, b.ended, b.account, a.phase,
                a.deleted_at AS account_deleted_at, p.deleted_at AS project_deleted_at
            FROM bindings AS b
            JOIN accounts AS a ON a.organization = b.organization AND a.account = b.account
            JOIN projects AS p ON p.organization = b.organization AND p.project = b.project
            WHERE ONLY(b) AND CASE b.ended
                WHEN 'open' THEN a.deleted_at IS NOT NULL OR a.phase = 'Archived' OR p.deleted_at IS NOT NULL
                WHEN 'deleted' THEN p.deleted_at IS DISTINCT FROM b.until
                ELSE b.until > least(a.deleted_at, p.deleted_at)
            END
            """,
        ),
    ),
    claim(
        "bindings_begin_with_ready_accounts",
        "An account was Ready when it began to pay, and pays in its currency.",
        "bindings",
        (
            "bindings",
            """
            SELECT b.organization, b.project, b.since, b.account, before.phase, b.currency, a.currency AS its_currency
            FROM bindings AS b
            JOIN accounts AS a ON a.organization = b.organization AND a.account = b.account
            LEFT JOIN LATERAL (
                SELECT p.phase FROM phases AS p
                WHERE p.organization = b.organization AND p.account = b.account AND p.at <= b.since
                ORDER BY p.sequence DESC LIMIT 1
            ) AS before ON true
            WHERE ONLY(b) AND (before.phase IS DISTINCT FROM 'Ready' OR b.currency <> a.currency)
            """,
        ),
    ),
    claim(
        "bindings_begin_after_the_registration",
        "Nobody paid for a project before it was registered.",
        "bindings",
        (
            "bindings",
            """
            SELECT b.organization, b.project, b.since, p.registered_at
            FROM bindings AS b JOIN projects AS p ON p.organization = b.organization AND p.project = b.project
            WHERE ONLY(b) AND b.since < p.registered_at
            """,
        ),
    ),
    claim(
        "locks_and_risks_are_of_bound_projects",
        "A project that is locked or at risk has a payer.",
        "projects",
        (
            "projects",
            """
            SELECT p.organization, p.project, p.locked, p.at_risk
            FROM projects AS p
            WHERE ONLY(p) AND (p.locked OR p.at_risk) AND NOT EXISTS (
                SELECT FROM bindings AS b
                WHERE b.organization = p.organization AND b.project = p.project AND b.ended = 'open'
            )
            """,
        ),
    ),
    claim(
        "projects_know_of_their_payers_risk",
        "A bound project was told that its payer is suspended if and only if it is, unless a notice is on its way.",
        "projects",
        (
            "projects",
            """
            SELECT p.organization, p.project, p.at_risk, a.account, a.phase, a.notices_kind, a.notices_after
            FROM projects AS p
            JOIN bindings AS b ON b.organization = p.organization AND b.project = p.project AND b.ended = 'open'
            JOIN accounts AS a ON a.organization = b.organization AND a.account = b.account
            WHERE ONLY(p) AND p.at_risk <> (a.phase = 'Suspended')
            AND (a.notices_kind IS NULL OR p.project <= a.notices_after)
            """,
        ),
    ),
    claim(
        "what_is_due_for_a_project_is_noted",
        "A project is looked at again if and only if it was deleted and its record was not removed yet.",
        "projects",
        (
            "projects",
            """
            SELECT p.organization, p.project, p.deleted_at, p.tombstoned, p.due_at
            FROM projects AS p
            WHERE ONLY(p) AND (p.due_at IS NOT NULL) <> (p.deleted_at IS NOT NULL AND NOT p.tombstoned)
            """,
        ),
    ),
)
