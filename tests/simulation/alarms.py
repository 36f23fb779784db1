"""The product's log while a history goes on: nothing is written; errors are kept, a trace keeps everything."""

import json
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from logging import ERROR, NOTSET
from typing import Any

import structlog

from tests.simulation.world import World

EXPECTED = {"lane_stopped"}
"""Errors that are no broken claim by themselves: it is looked at why a lane has stopped."""


@contextmanager
def kept_in(world: World) -> Iterator[None]:
    """Let errors be alarms of this world for as long as the block lasts."""
    before = structlog.get_config()

    def keep(_: Any, level: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        name = str(event.pop("event"))
        if level == "error" and name not in EXPECTED:
            world.alarms.append(f"{name} {event}")
        if world.is_traced:
            world.logged(name, json.dumps(event, default=repr))
        raise structlog.DropEvent

    structlog.configure(
        processors=[keep],
        wrapper_class=structlog.make_filtering_bound_logger(NOTSET if world.is_traced else ERROR),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)
