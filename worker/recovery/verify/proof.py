"""All checks of the database, and what became of them."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final

from worker.recovery.verify.account_events import AccountsAndTheirEvents
from worker.recovery.verify.accounts import ACCOUNTS
from worker.recovery.verify.answers import Answers
from worker.recovery.verify.constraints import CONSTRAINTS
from worker.recovery.verify.finding import Check, Finding
from worker.recovery.verify.ground import Ground
from worker.recovery.verify.journal import JournalInOrder
from worker.recovery.verify.lanes import LANES, Homes
from worker.recovery.verify.payers import PAYERS
from worker.recovery.verify.phases import PHASES
from worker.recovery.verify.project_events import ProjectsAndTheirEvents
from worker.recovery.verify.prover import Prover

PROVERS: Final[Sequence[Prover]] = (
    *CONSTRAINTS,
    *ACCOUNTS,
    *PHASES,
    *PAYERS,
    *LANES,
    Homes(),
    JournalInOrder(),
    Answers(),
    AccountsAndTheirEvents(),
    ProjectsAndTheirEvents(),
)


def checks(provers: Sequence[Prover] = PROVERS) -> Iterator[Check]:
    """Every claim, in the order in which it is proven."""
    return (check for prover in provers for check in prover.checks)


async def prove(ground: Ground, provers: Sequence[Prover] = PROVERS) -> AsyncIterator[Finding]:
    """Prove one after the other; each finding as soon as it is known."""
    for prover in provers:
        findings = [Finding(check, ground.counterexamples_max) for check in prover.checks]
        ground.bar.say(prover.checks[0].name)
        savepoint = await ground.connection.begin_nested()
        await prover.prove(ground, findings)
        await savepoint.rollback()  # what the server sorted on disk goes with the cursors: nothing was written
        await ground.tell()
        for finding in findings:
            yield finding
