"""A tap on the wire to PostgreSQL, which counts what a client sends: exact, whatever the client thinks it does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import make_url

LOOPBACK: Final = "127.0.0.1"
CHUNK_BYTES: Final = 256 * 1024
ENCRYPTION_REQUESTS: Final = {80877103, 80877104}
LENGTH_BYTES: Final = 4
STATEMENTS: Final = {ord("Q"), ord("E")}  # a query in one message, and the execution of a prepared one


@dataclass
class Counts:
    """`round_trips`: how often the client spoke again after the server had. `statements` count BEGIN, COMMIT, COPY."""

    statements: int = 0
    round_trips: int = 0


@dataclass
class Client:
    """What one client has sent, cut into messages."""

    counts: Counts
    is_let_in: bool = False
    rest: bytearray = field(default_factory=bytearray)

    def take(self, sent: bytes) -> None:
        """Count the whole messages that are there now."""
        self.rest += sent
        while (size := self._size()) is not None and len(self.rest) >= size:
            if self.is_let_in:
                self.counts.statements += self.rest[0] in STATEMENTS
            else:
                code = int.from_bytes(self.rest[LENGTH_BYTES : 2 * LENGTH_BYTES], "big")
                self.is_let_in = code not in ENCRYPTION_REQUESTS
            del self.rest[:size]

    def _size(self) -> int | None:
        """Of the message that begins here: its length leads, behind a letter for its kind once the client is in."""
        kind = int(self.is_let_in)
        if len(self.rest) < kind + LENGTH_BYTES:
            return None
        return kind + int.from_bytes(self.rest[kind : kind + LENGTH_BYTES], "big")


@asynccontextmanager
async def tapped(url: str) -> AsyncIterator[tuple[str, Counts]]:
    """The URL to reach a database through the tap, and the counts, which grow."""
    counts = Counts()
    target = make_url(url)
    links: set[asyncio.Task[None]] = set()

    async def link(here: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        there, forth = await asyncio.open_connection(target.host, target.port)
        client, is_answered = Client(counts), True

        async def ask() -> None:
            nonlocal is_answered
            while sent := await here.read(CHUNK_BYTES):
                counts.round_trips += is_answered
                is_answered = False
                client.take(sent)
                forth.write(sent)
                await forth.drain()
            forth.close()

        async def answer() -> None:
            nonlocal is_answered
            while said := await there.read(CHUNK_BYTES):
                is_answered = True
                back.write(said)
                await back.drain()
            back.close()

        with suppress(OSError):
            await asyncio.gather(ask(), answer())

    def accept(here: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(link(here, back))
        links.add(task)
        task.add_done_callback(links.discard)

    server = await asyncio.start_server(accept, LOOPBACK, 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield target.set(host=LOOPBACK, port=port).render_as_string(hide_password=False), counts
    finally:
        server.close()
        for task in links:
            task.cancel()
