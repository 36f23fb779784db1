"""Kafka and PostgreSQL for a laptop: real ones, started as child processes, no containers."""

from worker.embedded.errors import EmbeddedError
from worker.embedded.kafka import Kafka
from worker.embedded.postgres import Postgres
from worker.embedded.setup import download
from worker.embedded.stack import Addresses, Stack

__all__ = ["Addresses", "EmbeddedError", "Kafka", "Postgres", "Stack", "download"]
