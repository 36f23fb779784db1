"""Claims about phases: each has its cause, and holds alone suspend."""

from typing import Final

from worker.recovery.verify.statements import SqlCheck, claim

PHASES: Final[tuple[SqlCheck, ...]] = (
    claim(
        "a_phase_follows_from_its_causes",
        "An account that is not Archived is Suspended if it has an active hold, else Ready if it ever was, else"
        " Provisioning.",
        "accounts",
        (
            "accounts",
            """
            SELECT * FROM (
                SELECT a.organization, a.account, a.phase, a.activated_at, coalesce(active.n, 0) AS active_holds,
                    CASE
                        WHEN active.n > 0 THEN 'Suspended' WHEN a.activated_at IS NOT NULL THEN 'Ready'
                        ELSE 'Provisioning'
                    END AS follows
                FROM accounts AS a
                LEFT JOIN (
                    SELECT h.organization, h.account, count(*) AS n FROM holds AS h
                    WHERE ONLY(h) AND h.released_at IS NULL GROUP BY h.organization, h.account
                ) AS active ON active.organization = a.organization AND active.account = a.account
                WHERE ONLY(a) AND a.phase <> 'Archived'
            ) AS judged
            WHERE phase <> follows
            """,
        ),
    ),
    claim(
        "the_phase_is_the_last_of_the_history",
        "An account stands in the phase that its history of phases ends with, since then.",
        "accounts",
        (
            "accounts",
            """
            SELECT a.organization, a.account, a.phase, a.phase_since, last.phase AS last_phase, last.at AS last_at
            FROM accounts AS a
            LEFT JOIN (
                SELECT DISTINCT ON (p.organization, p.account) p.organization, p.account, p.phase, p.at
                FROM phases AS p WHERE ONLY(p) ORDER BY p.organization, p.account, p.sequence DESC
            ) AS last ON last.organization = a.organization AND last.account = a.account
            WHERE ONLY(a) AND (a.phase, a.phase_since) IS DISTINCT FROM (last.phase, last.at)
            """,
        ),
    ),
    claim(
        "phases_follow_each_other",
        "An account begins as Provisioning, changes its phase in ways that there are, and never goes back in time.",
        "phases",
        (
            "phases",
            """
            SELECT * FROM (
                SELECT p.organization, p.account, p.sequence, p.at, p.phase, p.reason,
                    lag(p.phase) OVER w AS before, lag(p.at) OVER w AS before_at
                FROM phases AS p WHERE ONLY(p)
                WINDOW w AS (PARTITION BY p.organization, p.account ORDER BY p.sequence)
            ) AS p
            WHERE CASE
                WHEN p.before IS NULL THEN (p.sequence, p.phase, p.reason) <> (2, 'Provisioning', 'CREATED')
                ELSE p.at < p.before_at OR (p.before, p.phase) NOT IN (
                    ('Provisioning', 'Ready'), ('Provisioning', 'Suspended'), ('Provisioning', 'Archived'),
                    ('Ready', 'Suspended'), ('Ready', 'Archived'),
                    ('Suspended', 'Ready'), ('Suspended', 'Provisioning'), ('Suspended', 'Archived')
                )
            END
            """,
        ),
    ),
    claim(
        "phases_have_their_cause",
        "Whoever became Suspended got a hold of that reason at that instant; whoever came back had one released or was"
        " activated; whoever was closed was Archived.",
        "phases",
        (
            "phases",
            """
            SELECT p.organization, p.account, p.sequence, p.at, p.phase, p.reason, a.activated_at
            FROM phases AS p
            LEFT JOIN accounts AS a ON a.organization = p.organization AND a.account = p.account
            WHERE ONLY(p) AND p.sequence > 2 AND NOT coalesce(CASE p.phase
                WHEN 'Suspended' THEN EXISTS (
                    SELECT FROM holds AS h WHERE h.organization = p.organization AND h.account = p.account
                    AND h.placed_at = p.at AND h.reason = p.reason
                )
                WHEN 'Archived' THEN p.reason = 'CLOSED'
                WHEN 'Ready' THEN CASE p.reason
                    WHEN 'ACTIVATED' THEN a.activated_at = p.at
                    WHEN 'REACTIVATED' THEN a.activated_at <= p.at AND EXISTS (
                        SELECT FROM holds AS h WHERE h.organization = p.organization AND h.account = p.account
                        AND h.released_at = p.at
                    )
                END
                WHEN 'Provisioning' THEN p.reason = 'REACTIVATED' AND EXISTS (
                    SELECT FROM holds AS h WHERE h.organization = p.organization AND h.account = p.account
                    AND h.released_at = p.at
                )
            END, false)
            """,
        ),
    ),
    claim(
        "holds_alone_suspend_at_any_time",
        "At the end of every instant at which a phase or a hold begins, an account is Suspended if and only if a hold"
        " is active, unless it is Archived.",
        "phases and holds",
        (
            "phases",
            """
            SELECT p.organization, p.account, p.at, p.phase FROM (
                SELECT p.*, lead(p.at) OVER (PARTITION BY p.organization, p.account ORDER BY p.sequence) AS ended_at
                FROM phases AS p WHERE ONLY(p)
            ) AS p
            WHERE p.phase <> 'Archived' AND p.ended_at IS DISTINCT FROM p.at
            AND (p.phase = 'Suspended') <> EXISTS (
                SELECT FROM holds AS h WHERE h.organization = p.organization AND h.account = p.account
                AND h.placed_at <= p.at AND (h.released_at IS NULL OR h.released_at > p.at)
            )
            """,
        ),
        (
            "holds",
            """
            SELECT h.organization, h.account, h.placed_at AS at, p.phase, h.hold
            FROM holds AS h
            LEFT JOIN LATERAL (
                SELECT p.phase FROM phases AS p
                WHERE p.organization = h.organization AND p.account = h.account AND p.at <= h.placed_at
                ORDER BY p.sequence DESC LIMIT 1
            ) AS p ON true
            WHERE ONLY(h) AND h.released_at IS DISTINCT FROM h.placed_at
            AND coalesce(p.phase, '') NOT IN ('Suspended', 'Archived')
            """,
        ),
    ),
    claim(
        "activation_is_the_first_ready_phase",
        "An account was activated when it was Ready for the first time, or never was Ready.",
        "accounts",
        (
            "accounts",
            """
            SELECT a.organization, a.account, a.activated_at, ready.at AS first_ready_at
            FROM accounts AS a
            LEFT JOIN (
                SELECT p.organization, p.account, min(p.at) AS at FROM phases AS p
                WHERE ONLY(p) AND p.phase = 'Ready' GROUP BY p.organization, p.account
            ) AS ready ON ready.organization = a.organization AND ready.account = a.account
            WHERE ONLY(a) AND a.activated_at IS DISTINCT FROM ready.at
            """,
        ),
    ),
)
