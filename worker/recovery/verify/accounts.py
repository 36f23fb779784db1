"""Claims about accounts, what they count, and what is due for them."""

from typing import Final

from worker.recovery.verify.statements import SqlCheck, claim

_PROFILE_HOLDS = "'PAYMENT_PROFILE_INVALID', 'PAYMENT_PROFILE_EXPIRED', 'PAYMENT_PROFILE_MISSING'"

ACCOUNTS: Final[tuple[SqlCheck, ...]] = (
    claim(
        "active_bindings_are_counted",
        "An account's number of active bindings is that of its open bindings.",
        "accounts",
        (
            "accounts",
            """
            SELECT a.organization, a.account, a.active_bindings AS kept, coalesce(open.n, 0) AS counted
            FROM accounts AS a
            LEFT JOIN (
                SELECT b.organization, b.account, count(*) AS n FROM bindings AS b
                WHERE ONLY(b) AND b.ended = 'open' GROUP BY b.organization, b.account
            ) AS open ON open.organization = a.organization AND open.account = a.account
            WHERE ONLY(a) AND a.active_bindings <> coalesce(open.n, 0)
            """,
        ),
    ),
    claim(
        "the_last_binding_until_is_the_latest_end",
        "An account's last binding ended when the latest of its closed bindings did.",
        "accounts",
        (
            "accounts",
            """
            SELECT a.organization, a.account, a.last_binding_until AS kept, closed.until AS found
            FROM accounts AS a
            LEFT JOIN (
                SELECT b.organization, b.account, max(b.until) AS until FROM bindings AS b
                WHERE ONLY(b) AND b.ended <> 'open' GROUP BY b.organization, b.account
            ) AS closed ON closed.organization = a.organization AND closed.account = a.account
            WHERE ONLY(a) AND a.last_binding_until IS DISTINCT FROM closed.until
            """,
        ),
    ),
    claim(
        "active_holds_are_counted",
        "An account's number of active holds is that of its holds which were not released.",
        "accounts",
        (
            "accounts",
            """
            SELECT a.organization, a.account, a.holds_active AS kept, coalesce(active.n, 0) AS counted
            FROM accounts AS a
            LEFT JOIN (
                SELECT h.organization, h.account, count(*) AS n FROM holds AS h
                WHERE ONLY(h) AND h.released_at IS NULL GROUP BY h.organization, h.account
            ) AS active ON active.organization = a.organization AND active.account = a.account
            WHERE ONLY(a) AND a.holds_active <> coalesce(active.n, 0)
            """,
        ),
    ),
    claim(
        "what_is_due_for_an_account_is_noted",
        "An account is looked at again when its payment profile ends, a suspension begins, or notices are owed.",
        "accounts",
        (
            "accounts",
            """
            SELECT * FROM (
                SELECT a.organization, a.account, a.due_at AS noted,
                    CASE WHEN a.deleted_at IS NULL AND a.phase <> 'Archived' THEN least(
                        CASE WHEN a.serving_status = 'Valid' THEN a.serving_valid_until END,
                        CASE WHEN a.notices_kind IS NOT NULL THEN a.phase_since END,
                        (
                            SELECT min(CAST(entry ->> 'dueAt' AS timestamptz)) FROM json_array_elements(
                                CASE WHEN json_typeof(a.scheduled) = 'array' THEN a.scheduled ELSE '[]' END
                            ) AS entry
                        )
                    ) END AS due
                FROM accounts AS a WHERE ONLY(a)
            ) AS judged
            WHERE noted IS DISTINCT FROM due
            """,
        ),
    ),
    claim(
        "a_valid_profile_lifts_its_hold",
        "No account whose payment profile is Valid has an active hold for want of one, nor has one never activated.",
        "accounts",
        (
            "accounts",
            f"""
            SELECT a.organization, a.account, a.phase, a.serving_status, a.activated_at, h.hold, h.reason
            FROM accounts AS a
            JOIN holds AS h ON h.organization = a.organization AND h.account = a.account
            WHERE ONLY(a) AND h.released_at IS NULL AND h.reason IN ({_PROFILE_HOLDS})
            AND (a.serving_status = 'Valid' OR a.activated_at IS NULL)
            """,  # noqa: S608 - a constant
        ),
    ),
    claim(
        "nothing_happened_before_its_account",
        "Holds and phases of an account begin after it was created, and at events that it had.",
        "holds and phases",
        (
            "holds",
            """
            SELECT h.organization, h.account, 'hold' AS what, h.sequence, h.placed_at AS at
            FROM holds AS h JOIN accounts AS a ON a.organization = h.organization AND a.account = h.account
            WHERE ONLY(h) AND (h.placed_at < a.created_at OR h.sequence NOT BETWEEN 3 AND a.sequence)
            """,
        ),
        (
            "phases",
            """
            SELECT p.organization, p.account, 'phase' AS what, p.sequence, p.at
            FROM phases AS p JOIN accounts AS a ON a.organization = p.organization AND a.account = p.account
            WHERE ONLY(p) AND (p.at < a.created_at OR p.sequence NOT BETWEEN 2 AND a.sequence)
            """,
        ),
    ),
)
