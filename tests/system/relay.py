"""A TCP relay: the address of a server that is away until the test lets it come, and may be cut off again.

It has threads of its own, so that it forwards also while a test waits for a process.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

LOOPBACK = "127.0.0.1"
CHUNK_BYTES = 64 * 1024


class Relay:
    """Forwards to a server while it is let. Before that, and when cut, its port is closed."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = host, int(port)
        self._listener = self._bound(0)
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def let(self) -> None:
        """Listen, and forward."""
        self._listener.close()
        self._listener = self._bound(self.port)
        self._listener.listen()
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Close the port and every connection through it; the port stays reserved."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        while self._open:
            _close(self._open.pop())

    def _bound(self, port: int) -> socket.socket:
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((LOOPBACK, port))
        return bound

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                here, _ = listener.accept()
                there = socket.create_connection(self._target)
                self._open += [here, there]
                for source, sink in ((here, there), (there, here)):
                    threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(CHUNK_BYTES):
            sink.sendall(chunk)
    _close(source)
    _close(sink)


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
