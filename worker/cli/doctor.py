"""`doctor`: whether a deployment is as it must be, and what to do where it is not."""

from collections import Counter
from typing import Final

import typer

from worker.cli.console import print_json, print_parts, say
from worker.cli.reach import finish
from worker.ops.doctor.finding import Finding, Grade
from worker.ops.doctor.run import examine
from worker.settings import load

_STYLES: Final = {Grade.OK: "green", Grade.WARNING: "yellow", Grade.FAILURE: "red"}
_WIDTH: Final = max(len(grade) for grade in Grade)


def show_findings(*, as_json: bool) -> None:
    """Findings on stdout as they are known; exit code 1 if one is a failure."""
    findings = finish(_examine(as_json=as_json))
    grades = Counter(finding.grade for finding in findings)
    if as_json:
        counts = {grade.value: grades[grade] for grade in Grade}
        print_json({"fit": not grades[Grade.FAILURE], "counts": counts})
    elif grades[Grade.FAILURE] or grades[Grade.WARNING]:
        say(f"{grades[Grade.FAILURE]} failures, {grades[Grade.WARNING]} warnings.")
    else:
        say("All is as it must be.")
    if grades[Grade.FAILURE]:
        raise typer.Exit(1)


async def _examine(*, as_json: bool) -> list[Finding]:
    found = []
    async for finding in examine(load()):
        found.append(finding)
        if as_json:
            print_json(
                {
                    "area": finding.area,
                    "what": finding.what,
                    "grade": finding.grade.value,
                    "found": finding.found,
                    "advice": finding.advice,
                }
            )
        else:
            mark = (finding.grade.value.ljust(_WIDTH), _STYLES[finding.grade])
            print_parts(mark, f"  {finding.area}: {finding.what}: {finding.found}")
            if finding.advice:
                print_parts(" " * _WIDTH, (f"  {finding.advice}", "bold"))
    return found
