"""What was looked at, and what was found."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from enum import StrEnum

from worker.domain.value import value


class Grade(StrEnum):
    """How bad it is. What is only unwise is a warning; a failure stops work or costs records."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@value
class Finding:
    """One thing that was looked at. `advice` is what to do; none where all is well."""

    area: str
    what: str
    grade: Grade
    found: str
    advice: str | None = None


class Findings:
    """Collects the findings of one area."""

    def __init__(self, area: str) -> None:
        self.area = area
        self.all: list[Finding] = []

    def ok(self, what: str, found: str) -> None:
        """It is as it must be."""
        self.all.append(Finding(self.area, what, Grade.OK, found))

    def warning(self, what: str, found: str, advice: str) -> None:
        """It works, and is unwise."""
        self.all.append(Finding(self.area, what, Grade.WARNING, found, advice))

    def failure(self, what: str, found: str, advice: str) -> None:
        """It stops work, or costs records."""
        self.all.append(Finding(self.area, what, Grade.FAILURE, found, advice))

    def judge(self, what: str, found: str, advice: str | None) -> None:
        """A failure if there is something to do."""
        if advice is None:
            self.ok(what, found)
        else:
            self.failure(what, found, advice)

    async def within(self, seconds: float, what: str, look: Awaitable[None], advice: str) -> None:
        """Look, and make a failure of whatever goes wrong."""
        try:
            async with asyncio.timeout(seconds):
                await look
        except Exception as error:  # noqa: BLE001 - that it could not be looked at is what was found
            self.failure(what, said_by(error), advice)


def said_by(error: BaseException) -> str:
    """An error in a line, without the statement and its parameters."""
    original = getattr(error, "orig", None)
    cause = (original.__cause__ or original) if original is not None else error
    first_line = str(cause).partition("\n")[0]
    return f"{type(cause).__name__}: {first_line}" if first_line else type(cause).__name__


def written(span: timedelta) -> str:
    """A span of time for people."""
    return f"{span.total_seconds():,.1f} s"
