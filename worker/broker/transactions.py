"""What a transactional producer of the client's needs besides: to fail whole, to say of what, and to be let go."""

import asyncio

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from worker.broker.closing import ended


def drop_what_is_refused(producer: AIOKafkaProducer) -> None:
    """Have nothing sent to a log that was not added to the transaction because the broker refuses some of them.

    aiokafka forgets that these batches waited for that, and sends them. A broker in whose log the transaction before
    is not ended yet takes them for a part of it: horizons were committed without their events.
    """
    transaction, batches = producer._txn_manager, producer._message_accumulator._batches  # noqa: SLF001
    fail = transaction.error_transaction

    def drop_and_fail(error: KafkaError) -> None:
        for log in transaction.partitions_to_add():
            for batch in batches.pop(log, ()):
                batch.failure(error)
        fail(error)

    transaction.error_transaction = drop_and_fail


def failure_of(producer: AIOKafkaProducer) -> BaseException | None:
    """What the producer's transaction has failed of, if it has."""
    end = producer._txn_manager.wait_for_transaction_end()  # noqa: SLF001
    return end.exception() if end is not None and end.done() and not end.cancelled() else None


async def let_go(producer: AIOKafkaProducer, seconds: float = 2) -> None:
    """Stop a producer that may be beyond stopping."""
    try:
        async with asyncio.timeout(seconds):
            await ended(producer.stop())
    except (TimeoutError, KafkaError, OSError):
        # Waiting longer would hold up the lane; its sockets go with it.
        sender = producer._sender.sender_task  # noqa: SLF001 - no public way to end a producer that cannot flush
        if sender is not None:
            sender.cancel()
    await producer.client.close()  # again, unless something came in between
