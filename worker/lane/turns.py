"""How many batches of all lanes together are between their first record and their last acknowledgement.

What a worker does is done by one thread: while a few batches wait for a server, another can be decided. More of them at
once make nothing quicker; each holds a few megabytes.
"""

import asyncio
from typing import Final

PATIENCE_SECONDS: Final = 1.0
"""No longer does a lane wait for others: where servers stand still, those that wait for them keep their turns."""


class Turn:
    """Leave for one batch, until it is published or given up."""

    def __init__(self, places: asyncio.Semaphore | None) -> None:
        self._places = places

    def end(self) -> None:
        """Let another one in. Does nothing the second time."""
        places, self._places = self._places, None
        if places is not None:
            places.release()


class Turns:
    """Gives leave in the order of asking."""

    def __init__(self, batches_max: int = 4, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._places = asyncio.Semaphore(batches_max)
        self._patience_seconds = patience_seconds

    async def take(self) -> Turn:
        """A turn: as soon as one is free, and after a while in any case."""
        try:
            async with asyncio.timeout(self._patience_seconds):
                await self._places.acquire()
        except TimeoutError:
            return Turn(None)
        return Turn(self._places)
