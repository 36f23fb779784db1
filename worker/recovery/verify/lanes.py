"""Claims about lanes: who lives where, and that nothing is ahead of where a lane stands."""

from collections.abc import Sequence
from typing import Final

from worker.recovery.verify.finding import Check, Finding
from worker.recovery.verify.ground import Ground
from worker.recovery.verify.statements import SqlCheck, claim
from worker.wire.partitions import partition_of

_HAPPENED = """
    SELECT {columns} FROM {table} AS t
    JOIN lanes AS l ON l.partition = t.lane
    WHERE ONLY(t) AND greatest({instants}) > l.latest_at
"""
_ACCOUNT = "t.organization, t.account, t.lane, l.latest_at"
_PROJECT = "t.organization, t.project, t.lane, l.latest_at"

LANES: Final[tuple[SqlCheck, ...]] = (
    claim(
        "nothing_happened_after_the_latest_instant_of_its_lane",
        "No instant of an account, a project, a binding or an answer is later than the latest of its lane.",
        "rows",
        (
            "accounts",
            _HAPPENED.format(
                columns=_ACCOUNT,
                table="accounts",
                instants="t.created_at, t.phase_since, t.activated_at, t.deleted_at, t.last_binding_until",
            ),
        ),
        (
            "projects",
            _HAPPENED.format(columns=_PROJECT, table="projects", instants="t.registered_at, t.deleted_at"),
        ),
        (
            "bindings",
            """
            SELECT b.organization, b.project, p.lane, l.latest_at, b.since, b.until
            FROM bindings AS b
            JOIN projects AS p ON p.organization = b.organization AND p.project = b.project
            JOIN lanes AS l ON l.partition = p.lane
            WHERE ONLY(b) AND greatest(b.since, nullif(b.until, 'infinity')) > l.latest_at
            """,
        ),
    ),
    claim(
        "nothing_was_decided_ahead_of_its_lane",
        "Answers and records lie in lanes that there are, before the offset that is decided next.",
        "answers",
        (
            "inbox",
            """
            SELECT i.organization, i.command_id, i.lane, i."offset", i.at, l.next_offset, l.latest_at
            FROM inbox AS i LEFT JOIN lanes AS l ON l.partition = i.lane
            WHERE ONLY(i) AND (l.partition IS NULL OR i."offset" >= l.next_offset OR i.at > l.latest_at)
            """,
        ),
        (
            "lanes",
            """
            SELECT j.lane, j.last_offset, j.last_at, l.next_offset, l.latest_at
            FROM (
                SELECT j.lane, max(j."offset") AS last_offset, max(j.at) AS last_at FROM journal AS j GROUP BY j.lane
            ) AS j
            LEFT JOIN lanes AS l ON l.partition = j.lane
            WHERE l.partition IS NULL OR j.last_offset >= l.next_offset OR j.last_at > l.latest_at
            """,
        ),
    ),
    claim(
        "one_command_lies_at_one_offset",
        "No two answers were given at one offset of a lane.",
        "answers",
        (
            "inbox",
            """
            SELECT i.lane, i."offset", count(*) AS answers, min(i.command_id) AS first, max(i.command_id) AS last
            FROM inbox AS i WHERE ONLY(i) GROUP BY i.lane, i."offset" HAVING count(*) > 1
            """,
        ),
    ),
)

_HOMES = """
    SELECT 'accounts' AS kind, t.organization, t.lane, min(t.account) AS example FROM accounts AS t
    WHERE ONLY(t) GROUP BY t.organization, t.lane
    UNION ALL
    SELECT 'projects', t.organization, t.lane, min(t.project) FROM projects AS t
    WHERE ONLY(t) GROUP BY t.organization, t.lane
"""


class Homes:
    """Where organizations live, which only Kafka's own hash tells."""

    checks = (
        Check(
            "each_organization_lives_in_its_lane",
            "Accounts and projects are in the lane that murmur2 of their organization's name gives.",
        ),
    )

    def rows(self, ground: Ground) -> int:
        """How many rows it looks at."""
        return ground.rows["accounts"] + ground.rows["projects"]

    async def prove(self, ground: Ground, findings: Sequence[Finding]) -> None:
        """Reckon each organization's lane."""
        (finding,) = findings
        finding.unit, finding.looked_at = "accounts and projects", self.rows(ground)
        async for row in ground.select(ground.scoped(_HOMES)):
            kind, organization, lane, example = tuple(row)
            home = partition_of(organization, ground.partitions)
            if lane != home:
                finding.refute(organization=organization, of=kind, lane=lane, home=home, example=example)
            elif lane not in ground.lanes:
                finding.refute(organization=organization, of=kind, lane=lane, problem="there is no such lane")
        await ground.did(self.rows(ground))
