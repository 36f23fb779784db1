"""A backlog of known commands: accounts, then binds and rebinds, all over the lanes."""

from collections import Counter
from collections.abc import Iterator

from tests.system.deployment import Deployment, command, ready_account

ORGANIZATIONS = [f"org-{number}" for number in range(9)]


def backlog(rounds: int) -> Iterator[tuple[str, str, bytes]]:
    """Organization, command id, bytes."""
    for organization in ORGANIZATIONS:
        for account in ("main", "other"):
            yield organization, f"create-{account}", ready_account(organization, account)
    for number in range(rounds):
        yield from binds(f"bind-{number}", f"p-{number % 20}", "main" if number % 3 else "other")


def binds(id_: str, project: str, account: str) -> Iterator[tuple[str, str, bytes]]:
    """One bind in every organization, all under one id."""
    for organization in ORGANIZATIONS:
        yield organization, id_, command(organization, "project.bind", id_, project=project, account=account)


async def publish(deployment: Deployment, rounds: int) -> Counter[str]:
    """Publish a backlog. Returns how often each id was sent."""
    return await publish_all(deployment, backlog(rounds))


async def publish_all(deployment: Deployment, commands: Iterator[tuple[str, str, bytes]]) -> Counter[str]:
    """Publish these. Returns how often each id was sent."""
    sent = list(commands)
    await deployment.publish_many((organization, value) for organization, _, value in sent)
    return Counter(id_ for _, id_, _ in sent)
