"""Checks that are a statement or a few: what they select are counterexamples."""
# ruff: noqa: S608  the statements are of this package's own making

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError

from worker.recovery.verify.finding import Check, Finding
from worker.recovery.verify.ground import Ground

_DATA_EXCEPTION = "22"
"""The class of PostgreSQL's errors about a value that is not what it should be: that is a counterexample too."""


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL that selects what contradicts a claim about a table. ONLY(alias) stands for the organization looked at."""

    table: str
    sql: str


@dataclass(frozen=True, slots=True)
class SqlCheck:
    """A claim that is proven by selecting nothing. `unit` is what it looks at, `count` how many if not all rows."""

    check: Check
    unit: str
    statements: Sequence[Statement]
    count: int | None = None

    @property
    def checks(self) -> Sequence[Check]:
        """The one claim."""
        return (self.check,)

    def rows(self, ground: Ground) -> int:
        """How many rows it looks at."""
        return sum(ground.rows.get(statement.table, 0) for statement in self.statements)

    async def prove(self, ground: Ground, findings: Sequence[Finding]) -> None:
        """Select counterexamples; the first of them are shown, all are counted."""
        (finding,) = findings
        finding.unit = self.unit
        tables = {statement.table for statement in self.statements}
        finding.looked_at = sum(ground.rows.get(table, 0) for table in tables) if self.count is None else self.count
        for statement in self.statements:
            await _prove(ground, statement, finding)
            await ground.did(ground.rows.get(statement.table, 0))


async def _prove(ground: Ground, statement: Statement, finding: Finding) -> None:
    sql = (
        f"SELECT found.*, count(*) OVER () AS violations FROM ({ground.scoped(statement.sql)}) AS found"
        f" LIMIT {ground.counterexamples_max:d}"
    )
    before = finding.violations
    try:
        async with ground.connection.begin_nested():
            async for row in ground.select(sql):
                counterexample = dict(row._mapping)  # noqa: SLF001 - that is its name
                violations = counterexample.pop("violations")
                finding.refute(**counterexample)
                finding.violations = before + violations
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None) or ""
        if not state.startswith(_DATA_EXCEPTION):
            raise
        finding.refute(table=statement.table, problem=str(error.orig).partition("\n")[0])


def claim(name: str, sentence: str, unit: str, *statements: tuple[str, str]) -> SqlCheck:
    """A check from pairs of the table that it is about and SQL."""
    return SqlCheck(Check(name, sentence), unit, [Statement(table, sql) for table, sql in statements])
