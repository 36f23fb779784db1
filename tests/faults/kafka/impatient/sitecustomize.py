"""For the path of a worker's interpreter: its consumers may be idle for four seconds, not for five minutes."""

from typing import Any

from aiokafka import AIOKafkaConsumer

_begin = AIOKafkaConsumer.__init__


def _begin_impatiently(self: AIOKafkaConsumer, *topics: str, **settings: Any) -> None:
    _begin(self, *topics, **(settings | {"max_poll_interval_ms": 4_000}))


AIOKafkaConsumer.__init__ = _begin_impatiently
