"""Commands for hours: organizations come and go, since archived accounts and deleted projects stay so for ever."""

from collections.abc import Iterator

from tests.system.traffic import traffic

COMMANDS_OF_A_GENERATION = 2_000
ORGANIZATIONS = 12


def commands(seed: int) -> Iterator[tuple[str, bytes]]:
    """Organization and command, without end; the same for the same seed but for instants, which lie around now."""
    generation = 0
    while True:
        names = tuple(f"org-{generation}-{number}" for number in range(ORGANIZATIONS))
        yield from traffic(seed * 1_000_000 + generation, names, COMMANDS_OF_A_GENERATION)
        generation += 1
