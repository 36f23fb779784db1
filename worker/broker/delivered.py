"""Batches that were delivered: a producer keeps its last ones until it has others to send."""

from aiokafka.producer.message_accumulator import BatchBuilder


def forget(batch: BatchBuilder) -> None:
    """Free the bytes of a batch that was delivered, and so is not sent again. The client has no public way to."""
    batch._buffer = b""  # noqa: SLF001
