"""A TCP relay: the address of a server that is away until the test lets it come, and whose network the test breaks.

It has threads of its own, so that it forwards also while a test waits for a process.
"""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

LOOPBACK = "127.0.0.1"
CHUNK_BYTES = 64 * 1024
LOOK_SECONDS = 0.05
OVERLAP_BYTES = 256
"""How much of the chunk before a pattern is looked for in: what is sent at once may arrive in pieces."""


@dataclass(eq=False)
class Link:
    """One connection: the client's end here, the server's end there."""

    here: socket.socket
    there: socket.socket
    is_cut: threading.Event = field(default_factory=threading.Event)
    has_missed: bool = False
    is_doomed: bool = False

    def cut(self) -> None:
        """End it, for both."""
        self.is_cut.set()
        _close(self.here)
        _close(self.there)

    def end_unheard(self) -> None:
        """End it for the client; the server still reads what it was sent, and talks to nobody."""
        for end, way in ((self.here, socket.SHUT_RDWR), (self.there, socket.SHUT_WR)):
            with suppress(OSError):
                end.shutdown(way)


class Relay:
    """Forwards to a server while it is let. Before that, and when cut, its port is closed."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = host, int(port)
        self._listener = self._bound(0)
        self.port: int = self._listener.getsockname()[1]
        self._links: list[Link] = []
        self._flowing = threading.Event()
        self._flowing.set()
        self._delay_seconds = 0.0
        self._replies_are_lost = False
        self._doom = Doom()

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def replies_lost(self) -> int:
        """How many connections `cut_after` has cut."""
        return self._doom.done

    def let(self) -> None:
        """Listen, and forward."""
        self._listener.close()
        self._listener = self._bound(self.port)
        self._listener.listen(128)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Close the port and every connection through it; the port stays reserved."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut_connections()

    def cut_connections(self) -> None:
        """Close every connection; new ones are let in."""
        while self._links:
            self._links.pop().cut()

    def freeze(self) -> None:
        """Bytes stop in both directions; sockets stay open, and new ones are let in to wait with the others."""
        self._flowing.clear()

    def thaw(self) -> None:
        """What was held back flows. Connections that missed a reply for good are cut."""
        self._replies_are_lost = False
        for link in list(self._links):
            if link.has_missed:
                link.cut()
        self._flowing.set()

    def delay(self, seconds: float) -> None:
        """Every chunk takes so long, in each direction; 0 ends it."""
        self._delay_seconds = seconds

    def swallow_replies(self) -> None:
        """The server hears everything, its clients nothing: until `thaw`."""
        self._replies_are_lost = True

    def cut_after(self, pattern: bytes | re.Pattern[bytes], *, times: int = 1, every: int = 1) -> None:
        """Let the server have what matches, swallow its reply and cut that connection; so many times.

        `every` spares the matches between: 3 takes the third, the sixth and so on. A pattern is found within what one
        connection sends towards the server.
        """
        self._doom = Doom(re.compile(re.escape(pattern)) if isinstance(pattern, bytes) else pattern, times, every)

    def _bound(self, port: int) -> socket.socket:
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((LOOPBACK, port))
        return bound

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                here, _ = listener.accept()
                try:
                    there = socket.create_connection(self._target)
                except OSError:  # the server is away, the relay is not
                    _close(here)
                    continue
                for end in (here, there):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                link = Link(here, there)
                self._links.append(link)
                for way in (self._forward_requests, self._forward_replies):
                    threading.Thread(target=self._pump, args=(way, link), daemon=True).start()

    def _pump(self, way: Callable[[Link], None], link: Link) -> None:
        with suppress(OSError):
            way(link)
        link.cut()
        with suppress(ValueError):
            self._links.remove(link)

    def _forward_requests(self, link: Link) -> None:
        before = b""
        while chunk := link.here.recv(CHUNK_BYTES):
            self._hold(link)
            if self._doom.strikes(before, chunk):
                link.is_doomed = True
            link.there.sendall(chunk)
            before = (before + chunk)[-OVERLAP_BYTES:]
        if link.is_doomed:
            link.is_cut.wait()  # the other thread ends it, when the server has answered

    def _forward_replies(self, link: Link) -> None:
        while chunk := link.there.recv(CHUNK_BYTES):
            self._hold(link)
            if link.is_doomed:
                link.end_unheard()
            elif self._replies_are_lost:
                link.has_missed = True
            else:
                link.here.sendall(chunk)

    def _hold(self, link: Link) -> None:
        """Wait as long as the link is frozen, or slow."""
        if self._delay_seconds:
            time.sleep(self._delay_seconds)
        while not self._flowing.wait(LOOK_SECONDS):
            if link.is_cut.is_set():
                raise ConnectionAbortedError


class Doom:
    """Which requests are the last of their connections."""

    def __init__(self, pattern: re.Pattern[bytes] | None = None, times: int = 0, every: int = 1) -> None:
        self.done = 0
        self._pattern = pattern
        self._times = times
        self._every = every
        self._matches = 0
        self._lock = threading.Lock()

    def strikes(self, before: bytes, chunk: bytes) -> bool:
        """Whether the chunk, of which `before` came first, ends a match that is to be the last."""
        if self._pattern is None or self.done == self._times:
            return False
        with self._lock:
            for match in self._pattern.finditer(before + chunk):
                self._matches += match.end() > len(before)
                if match.end() > len(before) and self._matches % self._every == 0 and self.done < self._times:
                    self.done += 1
                    return True
        return False


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@contextmanager
def relay(target: str) -> Iterator[Relay]:
    """A relay to `host:port`, cut when the block ends."""
    made = Relay(target)
    try:
        yield made
    finally:
        made.cut()
