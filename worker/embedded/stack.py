from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from worker.embedded.kafka import Kafka
from worker.embedded.postgres import Postgres
from worker.embedded.server import silent


@dataclass(frozen=True)
class Addresses:
    """Where the servers are: `host:port` for Kafka, and the URL of the database's owner."""

    bootstrap_servers: str
    database_url: str


class Stack:
    """One Kafka and one PostgreSQL, their data side by side in `directory`."""

    def __init__(
        self,
        directory: Path,
        *,
        kafka_settings: Mapping[str, str] | None = None,
        postgres_settings: Mapping[str, str] | None = None,
        java_options: Sequence[str] = (),
        on_progress: Callable[[str], None] = silent,
    ) -> None:
        self.kafka = Kafka(
            directory / "kafka", settings=kafka_settings, java_options=java_options, on_progress=on_progress
        )
        self.postgres = Postgres(directory / "postgres", settings=postgres_settings, on_progress=on_progress)

    @property
    def addresses(self) -> Addresses:
        """Known once started."""
        return Addresses(self.kafka.bootstrap_servers, self.postgres.url())

    def start(self, *, fresh: bool = False) -> Addresses:
        """Start both and wait until both answer. Raises EmbeddedError, neither left running."""
        try:
            self.kafka.launch(fresh=fresh)
            self.postgres.launch(fresh=fresh)
            self.postgres.wait_ready()
            self.kafka.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self.addresses

    def stop(self) -> None:
        """Stop both, Kafka first."""
        self.kafka.stop()
        self.postgres.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
