"""One organization in every lane, and the same commands for each."""

from collections import Counter
from collections.abc import Iterable

from tests.system.deployment import Deployment, command, ready_account
from tests.system.provision import PARTITIONS
from worker.wire.partitions import partition_of

ORGANIZATIONS = [
    next(name for name in (f"org-{n}" for n in range(100)) if partition_of(name, PARTITIONS) == lane)
    for lane in range(PARTITIONS)
]
"""By the lane that each of them is in."""


def binds(organization: str, first: int, last: int) -> list[bytes]:
    """So many different projects come to be paid by the account `main`."""
    return [
        command(organization, "project.bind", f"bind-{number}", project=f"p-{number}", account="main")
        for number in range(first, last)
    ]


def ids_of(numbers: Iterable[int], lanes: int = PARTITIONS) -> Counter[str]:
    """The ids of these binds and of the account, as often as there are lanes that got them."""
    return Counter(dict.fromkeys(("create-main", *(f"bind-{number}" for number in numbers)), lanes))


async def publish_to_all(deployment: Deployment, first: int, last: int) -> None:
    """Binds to every lane; the accounts before the first of them."""
    for organization in ORGANIZATIONS:
        begin = [ready_account(organization, "main")] if first == 0 else []
        await deployment.publish(organization, *begin, *binds(organization, first, last))


async def are_answered(deployment: Deployment, organizations: Iterable[str], times: int) -> bool:
    """Whether each of these organizations has so many results, at least."""
    answered = Counter(answer["organization"] for answer in await deployment.messages("command_results"))
    return all(answered[organization] >= times for organization in organizations)
