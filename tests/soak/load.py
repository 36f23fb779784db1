"""Commands for hours: mostly projects that change their payer, and among them everything that can happen.

Organizations in which everything happens come and go, since archived accounts and deleted projects stay so for ever.
"""

from collections.abc import Iterator
from random import Random

from tests.system.deployment import command, ready_account
from tests.system.traffic import Command, traffic

COMMANDS_OF_A_GENERATION = 2_000
ORGANIZATIONS = 12
STEADY_ORGANIZATIONS = 30
STEADY_ACCOUNTS = ("amber", "beryl", "coral")
STEADY_PROJECTS = 400
STEADY_SHARE = 0.9


def commands(seed: int) -> Iterator[Command]:
    """Organization and command, without end; the same for the same seed but for instants, which lie around now."""
    random = Random(seed)  # noqa: S311 - repeatable, not secret
    lively, steady = _everything(seed), _payers_change(random)
    while True:
        yield next(steady if random.random() < STEADY_SHARE else lively)


def _everything(seed: int) -> Iterator[Command]:
    generation = 0
    while True:
        names = tuple(f"org-{generation}-{number}" for number in range(ORGANIZATIONS))
        yield from traffic(seed * 1_000_000 + generation, names, COMMANDS_OF_A_GENERATION)
        generation += 1


def _payers_change(random: Random) -> Iterator[Command]:
    organizations = [f"steady-{number}" for number in range(STEADY_ORGANIZATIONS)]
    for organization in organizations:
        for account in STEADY_ACCOUNTS:
            yield organization, ready_account(organization, account)
    number = 0
    while True:
        organization, project = random.choice(organizations), f"p-{random.randrange(STEADY_PROJECTS)}"
        number += 1
        if random.random() < 0.95:
            account = random.choice(STEADY_ACCOUNTS)
            made = command(organization, "project.bind", f"s-{number}", project=project, account=account)
        else:
            made = command(organization, "project.unbind", f"s-{number}", project=project)
        for _ in range(1 + (random.random() < 0.01)):
            yield organization, made
