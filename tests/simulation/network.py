"""Requests and replies. A request takes effect at its server whether or not anybody waits for the reply any more."""

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Final

from tests.simulation.loop import PROCESS, Process
from tests.simulation.world import World

RETRY: Final = object()
"""An effect's word for: not yet, ask again in a moment."""

PENDING: Final = object()
"""An effect's word for: answered later, by `Request.answer`."""

RETRY_SECONDS = 15 / 1024
SLOW_SECONDS_MAX = 1.5

Effect = Callable[["Request"], Any]


class Trouble(Enum):
    """What may become of a request."""

    SLOW = auto()
    REFUSED = auto()
    LOST = auto()
    UNANSWERED = auto()
    REJECTED = auto()


TROUBLES = tuple(Trouble)


class Server:
    """One of the two machines that everything hangs on, as the network sees it."""

    def __init__(
        self,
        name: str,
        *,
        refused: Callable[[], Exception],
        timed_out: Callable[[], Exception],
        rejected: Callable[[World], Exception],
    ) -> None:
        self.name = name
        self.rate = 0.0
        self.away_until = 0.0
        self.frozen_until = 0.0
        self.refused = refused
        self.timed_out = timed_out
        self.rejected = rejected


class Request:
    """One request on its way."""

    __slots__ = ("effect", "link", "name", "patience", "reply", "trouble", "who")

    def __init__(
        self,
        link: "Link",
        name: str,
        effect: Effect,
        reply: "asyncio.Future[Any]",
        trouble: Trouble | None,
        patience: float | None,
        who: Process | None,
    ) -> None:
        self.link = link
        self.name = name
        self.effect = effect
        self.reply = reply
        self.trouble = trouble
        self.patience = patience
        self.who = who

    def answer(self, value: Any) -> None:
        """Send a value back."""
        if self.trouble is not Trouble.UNANSWERED:
            self._send(value, None)
        elif self.link.world.draw() < 0.5:
            self._send(None, self.link.server.refused())
        else:
            self.hang()

    def fail(self, error: Exception) -> None:
        """Send an error back."""
        self._send(None, error)

    def hang(self) -> None:
        """Never answer: whoever asked gives up when his patience is at its end, or never."""
        self.link.late.append(self)
        if self.patience is not None:
            self.link.world.loop.later(self.patience, self._arrive, None, self.link.server.timed_out())

    def _send(self, value: Any, error: Exception | None) -> None:
        link = self.link
        loop, draw = link.world.loop, link.world.draw
        if self.trouble is Trouble.SLOW:
            seconds = draw() * SLOW_SECONDS_MAX
            if self.patience is not None and seconds > self.patience:
                self.hang()
                return
            link.late.append(self)
            loop.later(seconds, self._arrive, value, error)
        elif loop.time() < link.frozen_until or loop.time() < link.server.frozen_until:
            link.late.append(self)
            loop.at(max(link.frozen_until, link.server.frozen_until), self._arrive, value, error)
        elif draw() < 0.5:
            self._arrive(value, error)
        else:
            loop.later(link.world.latency(), self._arrive, value, error)

    def _arrive(self, value: Any, error: Exception | None) -> None:
        if self.reply.done():
            return
        if error is not None:
            self.reply.set_exception(error)
        else:
            self.reply.set_result(value)


class Link:
    """One process's way to one server."""

    def __init__(self, world: World, server: Server) -> None:
        self.world = world
        self.server = server
        self.away_until = 0.0
        self.frozen_until = 0.0
        self.late: list[Request] = []

    @property
    def is_awaited(self) -> bool:
        """Whether somebody still waits for what will come late, or never; publishers apart, who have deadlines."""
        return any(request.patience is not None and not request.reply.done() for request in self.late)

    def ask(self, name: str, effect: Effect, *, patience: float | None = None) -> "asyncio.Future[Any]":
        """Send a request; the future is its reply."""
        world, server = self.world, self.server
        loop = world.loop
        reply = loop.create_future()
        if world.is_over:
            reply.cancel()
            return reply
        trouble = None
        if server.rate and world.draw() < server.rate:
            trouble = TROUBLES[int(world.draw() * len(TROUBLES))]
            world.injected[f"{server.name} request {trouble.name.lower()}"] += 1
        request = Request(self, name, effect, reply, trouble, patience, PROCESS.get())
        at = max(loop.time(), self.frozen_until, server.frozen_until) + world.latency()
        loop.at(at, self._arrive, request)
        return reply

    def _arrive(self, request: Request) -> None:
        world, server, trouble = self.world, self.server, request.trouble
        loop = world.loop
        who = request.who.name if request.who is not None else ""
        world.notes.append((loop.time(), who, request.name, trouble.name if trouble is not None else ""))
        if loop.time() < server.away_until or loop.time() < self.away_until:
            if world.draw() < 0.7:
                request.fail(server.refused())
            else:
                request.hang()
        elif trouble is Trouble.REFUSED:
            request.fail(server.refused())
        elif trouble is Trouble.REJECTED:
            request.fail(server.rejected(world))
        elif trouble is Trouble.LOST:
            request.hang()
        else:
            self._let_happen(request)

    def _let_happen(self, request: Request) -> None:
        try:
            value = request.effect(request)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
            request.fail(error)
            return
        if value is RETRY:
            if request.reply.done():
                return
            self.world.loop.later(RETRY_SECONDS, self._let_happen, request)
        elif value is not PENDING:
            request.answer(value)
