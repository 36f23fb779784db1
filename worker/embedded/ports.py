import secrets
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"

# Below the range from which systems pick the near end of outgoing connections: a client that keeps calling a server
# that is down could otherwise be given the server's own port, connect to itself, and keep the server from coming back.
LOWEST, HIGHEST = 20_000, 32_000
TRIES_MAX = 200


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def remembered(file: Path) -> int:
    """The port noted in this file if it is still free, else a free one, which is noted."""
    if file.exists() and (earlier := file.read_text().strip()).isdecimal() and is_free(int(earlier)):
        return int(earlier)
    for _ in range(TRIES_MAX):
        port = LOWEST + secrets.randbelow(HIGHEST - LOWEST)
        if is_free(port):
            file.write_text(f"{port}\n")
            return port
    raise OSError(f"no free port between {LOWEST} and {HIGHEST}")
