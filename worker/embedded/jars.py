"""The jars of Apache Kafka: pinned, downloaded once, verified at every start."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

KAFKA_VERSION = "4.4.0"
PINNED = Path(__file__).with_name("kafka_jars.lock")


@dataclass(frozen=True)
class Jar:
    """A file, known by its Maven coordinates and its content."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def path(self) -> Path:
        """Where it lies once it has been downloaded."""
        return cache() / f"{self.artifact}-{self.version}.jar"

    def is_intact(self, path: Path) -> bool:
        """Whether the file is there and has the pinned content."""
        if not path.exists():
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256


def cache() -> Path:
    """One for each user: in $XDG_CACHE_HOME or ~/.cache."""
    return (
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "billing-worker" / f"kafka-{KAFKA_VERSION}"
    )


def pinned() -> list[Jar]:
    """Every jar that Kafka runs on, in the order of the class path."""
    return [_read(line) for line in PINNED.read_text().splitlines() if not line.startswith("#")]


def ensure(on_progress: Callable[[str], None]) -> list[Path]:
    """The class path, every jar of it intact; no network is touched unless one is missing.

    Raises EmbeddedError if that one cannot be had.
    """
    wanted = pinned()
    if missing := [jar for jar in wanted if not jar.is_intact(jar.path)]:
        from worker.embedded.download import fetch  # noqa: PLC0415  an HTTP client that no later start needs

        fetch(missing, cache(), on_progress)
    return [jar.path for jar in wanted]


def _read(line: str) -> Jar:
    coordinates, digest = line.split()
    group, artifact, version = coordinates.split(":")
    return Jar(group, artifact, version, digest.removeprefix("sha256:"))
