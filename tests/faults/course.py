"""The course of every scenario: subscribers live while it lasts, and at its end every claim must hold."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.system.checker import Figures, check
from tests.system.deployment import Deployment
from tests.system.watched import watched


@dataclass
class Course:
    """What was acknowledged, for the scenario to fill; and in the end how much was looked at."""

    sent: Counter[str] = field(default_factory=Counter)
    figures: Figures = field(default_factory=Figures)


@asynccontextmanager
async def course(deployment: Deployment) -> AsyncIterator[Course]:
    """Whatever the block breaks is healed when it ends.

    What the modes of publishing promise differs in one thing: at least once, a record may come again, byte for byte
    the same, and what comes first comes in order.
    """
    made = Course()
    async with watched(deployment) as seen:
        yield made
        made.figures = await check(deployment, made.sent, seen)
