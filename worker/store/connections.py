"""Counting the connections to the database as they come and go, whichever engine of this process they belong to."""

import time
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.pool import Pool

from worker import metrics

_OPEN: Final[set[Any]] = set()
_IN_USE: Final[set[Any]] = set()


class _Exhausted:
    """Since when every connection is in use."""

    max: int | None = None
    since: float | None = None


def count() -> None:
    """Count from now on: to be called before the first connection is made. Calling it again does nothing."""
    for name, listener in _LISTENERS.items():
        if not event.contains(Pool, name, listener):
            event.listen(Pool, name, listener)


def limit(connections_max: int) -> None:
    """So many there may be."""
    _Exhausted.max = connections_max
    metrics.CONNECTIONS_MAX.set(connections_max)


def _opened(_connection: object, record: object) -> None:
    _OPEN.add(record)
    metrics.CONNECTIONS.set(len(_OPEN))


def _closed(_connection: object, record: object) -> None:
    _OPEN.discard(record)
    metrics.CONNECTIONS.set(len(_OPEN))


def _taken(_connection: object, record: object, _proxy: object) -> None:
    _IN_USE.add(record)
    metrics.CONNECTIONS_IN_USE.set(len(_IN_USE))
    if len(_IN_USE) == _Exhausted.max:
        _Exhausted.since = time.perf_counter()


def _given_back(_connection: object, record: object) -> None:
    # One that broke while it was being taken is given back without having been in use.
    _IN_USE.discard(record)
    metrics.CONNECTIONS_IN_USE.set(len(_IN_USE))
    if _Exhausted.since is not None:
        metrics.CONNECTIONS_EXHAUSTED_SECONDS.inc(time.perf_counter() - _Exhausted.since)
        _Exhausted.since = None


_LISTENERS: Final[dict[str, Callable[..., None]]] = {
    "connect": _opened,
    "close": _closed,
    "checkout": _taken,
    "checkin": _given_back,
}
