import os
import pwd
import stat
import sys
from pathlib import Path

from worker.embedded.errors import EmbeddedError
from worker.embedded.kept import User


def is_closed(directory: Path) -> bool:
    """Whether some users may not enter it, or one above it."""
    return not all(part.stat().st_mode & stat.S_IXOTH for part in (directory, *directory.parents))


def someone_else(directory: Path) -> User | None:
    """Whom to become because PostgreSQL refuses to run as root; None if this is not root.

    Where its directory lies behind one closed to others (root's home, a test's temporary directory), the program keeps
    the one capability of root that lets it through. Raises EmbeddedError where there are no capabilities (not Linux).
    """
    if os.geteuid() != 0:
        return None
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise EmbeddedError(
            "PostgreSQL refuses to run as root, and there is no user 'nobody' to run it as",
            remedy="Run this as an ordinary user",
        ) from None
    closed = is_closed(directory)
    if closed and sys.platform != "linux":
        raise EmbeddedError(
            f"PostgreSQL refuses to run as root, and the user 'nobody' cannot enter {directory}",
            remedy="Run this as an ordinary user, or from a directory that everybody may enter",
        )
    return User(nobody.pw_uid, nobody.pw_gid, roams=closed)
