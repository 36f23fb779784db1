"""What goes on while somebody recovers: publishers that know of nothing, and subscribers that must not notice."""

import re

from tests.faults.postgres.test_restored import is_final
from tests.system.checker import Violated, check
from tests.system.deployment import Deployment
from tests.system.load import Load
from tests.system.settling import until
from tests.system.watched import Seen

RATE = 25
"""Commands a second: something is always under way, and a drill ends in time on a machine that is busy."""
ROUND = 120
"""How many commands are decided between two events of a drill."""
SECONDS_MAX = 240


async def goes_on(deployment: Deployment, count: int = ROUND) -> None:
    """So many more commands are answered."""
    before = len(await deployment.read("command_results"))

    async def are_answered() -> bool:
        return len(await deployment.read("command_results")) >= before + count

    await until(are_answered, f"{count} commands more are answered", SECONDS_MAX)


async def nothing_is_lost_or_doubled(
    deployment: Deployment, traffic: Load, seen: Seen | None, *, latest_states_alone: bool = False
) -> None:
    """Once everything is answered, every claim holds of all that was published and of all that subscribers saw.

    Who asked a database that was not brought up yet was told that the answer is not final. `latest_states_alone`: of
    each key the compacted topics were given no more, so earlier states are in the journal and nowhere else.
    """
    await traffic.resolve()
    await deployment.answers(SECONDS_MAX)
    if seen is not None:
        await seen.leave()
        seen.answers = [answer for answer in seen.answers if is_final(answer)]
        assert seen.answers
    try:
        await check(deployment, traffic.sent, seen)
    except Violated as violated:
        names = deployment.settings.topics
        earlier = re.compile(rf"\S+ is in the journal, but not in ({names.accounts}|{names.payers}) before ")
        if not latest_states_alone or violated.claims != {"E5"} or not all(map(earlier.match, violated.found["E5"])):
            raise
