"""Print every event and result once, as a line of JSON: python subscribe.py TOPIC..."""

import asyncio
import json
import os
import sys
from typing import Any

from aiokafka import AIOKafkaConsumer

SERVERS = os.environ.get("BILLING_KAFKA__BOOTSTRAP_SERVERS", "localhost:9092")


class Seen:
    """What was taken already. Keep it, and the offsets, with whatever you make of the events."""

    def __init__(self) -> None:
        self.last: dict[str, int] = {}
        self.results: set[str] = set()

    def is_new(self, event: dict[str, Any]) -> bool:
        """Events of a subject are numbered 1, 2, 3 …; a result has no number, but an id."""
        subject, sequence = event["subject"], event.get("sequence")
        if sequence is None:
            is_new = event["id"] not in self.results
            self.results.add(event["id"])
            return is_new
        last = self.last.get(subject, 0)
        if sequence <= last:
            return False
        if sequence > last + 1:
            print(f"{subject}: a gap behind {last}, load the compacted topic", file=sys.stderr)
        self.last[subject] = sequence
        return True


async def subscribe(*topics: str) -> None:
    """Read from the first record on, and go on until ended."""
    seen = Seen()
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=SERVERS,
        isolation_level="read_committed",  # without it, records of aborted transactions show
        auto_offset_reset="earliest",
    )
    async with consumer:
        async for record in consumer:
            if seen.is_new(json.loads(record.value)):
                print(record.value.decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(subscribe(*sys.argv[1:]))
