"""`verify`: proves that the records of the system agree, and tells a digest of what they say."""

from datetime import datetime
from typing import Any

import typer
from aiokafka.errors import KafkaError

from schemas.envelope import ORGANIZATION
from worker.cli.asking import written, written_through
from worker.cli.console import fail, print_json, print_parts, say
from worker.cli.reach import finish, reaching_database, reaching_kafka
from worker.recovery.progress import shown
from worker.recovery.verify.digest import Digest
from worker.recovery.verify.finding import Finding
from worker.recovery.verify.logs import LogHeldBack, TopicMissing
from worker.recovery.verify.run import Asked, Report, verify
from worker.settings import Settings, load

ORGANIZATIONS_MAX = 20
"""How many organizations are listed for people."""


def show_verification(asked: Asked, *, as_json: bool) -> None:
    """Findings and digests on stdout as they are known; exit code 1 if something is not as it should be."""
    if asked.organization is not None and not ORGANIZATION.fullmatch(asked.organization):
        raise typer.BadParameter("--organization is 1 to 63 of a-z, 0-9 and -, not beginning or ending with -")
    if asked.topics and not asked.checks:
        raise typer.BadParameter("--digest-only looks at no topics")
    settings = load()
    printing = _AsJson() if as_json else _ForPeople()
    with shown("verify", unit="rows") as bar:
        report = finish(_verify(settings, asked, bar, printing))
    printing.conclude(report, asked.at)
    if not report.holds:
        raise typer.Exit(1)


async def _verify(settings: Settings, asked: Asked, bar: Any, printing: "_ForPeople | _AsJson") -> Report:
    with reaching_database(settings.database.url):
        try:
            return await verify(settings, asked, bar, printing.finding, printing.digest)
        except KafkaError as error:
            with reaching_kafka(settings.kafka):
                raise error from None
        except (LogHeldBack, TopicMissing) as problem:
            fail(f"The topics cannot be compared: {problem}.")


class _AsJson:
    """A line for each check, one for each organization, and the last for all."""

    def finding(self, finding: Finding) -> None:
        print_json(
            {
                "check": finding.check.name,
                "claim": finding.check.sentence,
                "holds": finding.holds,
                "lookedAt": finding.looked_at,
                "unit": finding.unit,
                "violations": finding.violations,
                "counterexamples": finding.counterexamples,
                "notes": finding.notes,
            }
        )

    def digest(self, digest: Digest) -> None:
        print_json({"organization": digest.organization, "digest": str(digest), "rows": digest.rows})

    def conclude(self, report: Report, at: datetime | None) -> None:
        print_json(
            {
                "digest": str(report.digest),
                "at": written(at),
                "final": None if at is None else _is_final(report, at),
                "completeThrough": written_through(report.complete_through),
                "rows": report.digest.rows,
                "organizations": report.organizations,
                "checks": report.checks,
                "refuted": report.refuted,
                "holds": report.holds,
            }
        )


class _ForPeople:
    """A line for each check with what contradicts it below; some organizations, and the sum of all."""

    def __init__(self) -> None:
        self._listed = 0

    def finding(self, finding: Finding) -> None:
        looked_at = f"  {finding.looked_at:,} {finding.unit}"
        if finding.holds:
            print_parts(("holds    ", "green"), finding.check.name, (looked_at, "dim"))
        else:
            found = f", {finding.violations:,} contradict"
            print_parts(("REFUTED  ", "bold red"), finding.check.name, (looked_at, "dim"), (found, "red"))
            print_parts(f"         {finding.check.sentence}")
        for counterexample in finding.counterexamples:
            print_parts("         - ", ", ".join(f"{name} {_told(value)}" for name, value in counterexample.items()))
        if finding.violations > len(finding.counterexamples):
            print_parts(f"         - and {finding.violations - len(finding.counterexamples):,} more")
        for note in finding.notes:
            print_parts(("         " + note, "dim"))

    def digest(self, digest: Digest) -> None:
        self._listed += 1
        if self._listed <= ORGANIZATIONS_MAX:
            print_parts("digest   ", (str(digest), "bold"), f"  {digest.organization}")

    def conclude(self, report: Report, at: datetime | None) -> None:
        if self._listed > ORGANIZATIONS_MAX:
            print_parts(f"         and {self._listed - ORGANIZATIONS_MAX:,} organizations more; --json lists them all")
        rows = ", ".join(f"{count:,} {kind}s" for kind, count in report.digest.rows.items())
        when = "now" if at is None else f"as of {written(at)}"
        print_parts(
            ("digest   ", "bold"),
            (str(report.digest), "bold"),
            f"  all {report.organizations:,} organizations {when}: {rows}",
        )
        if at is not None and not _is_final(report, at):
            say("Not every lane has decided everything up to that instant: this digest may still change.", "yellow")
        if report.checks:
            say(
                f"{report.checks - report.refuted} of {report.checks} claims hold;"
                f" {report.rows:,} rows and records in {report.seconds:.1f} s.",
                style="green" if report.holds else "red",
            )


def _is_final(report: Report, at: datetime) -> bool:
    return report.complete_through is not None and at <= report.complete_through


def _told(value: Any) -> str:
    return "-" if value is None else str(value)
