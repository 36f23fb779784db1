"""What proves one or more checks."""

from collections.abc import Sequence
from typing import Protocol

from worker.recovery.verify.finding import Check, Finding
from worker.recovery.verify.ground import Ground


class Prover(Protocol):
    """Looks at something once, and proves as many claims about it as can be proven so."""

    @property
    def checks(self) -> Sequence[Check]:
        """The claims, in the order of their findings."""

    def rows(self, ground: Ground) -> int:
        """About how many rows it looks at, for whoever waits."""

    async def prove(self, ground: Ground, findings: Sequence[Finding]) -> None:
        """Look, and refute what does not hold: one finding for each of the checks."""
