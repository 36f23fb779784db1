"""Several streams, each sorted by the same key, read side by side: all that there is of one subject at a time."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple


class Subject(NamedTuple):
    """What each stream has of a key, in the order of the streams."""

    key: bytes
    rows: Sequence[Sequence[Any]]


class _Head:
    """A stream and the first of its rows that was not taken yet; `key` None: there is no more."""

    def __init__(self, stream: AsyncIterator[Any]) -> None:
        self._stream = stream
        self._row: Any = None
        self.key: bytes | None = None

    async def advance(self) -> None:
        self._row = await anext(self._stream, None)
        self.key = None if self._row is None else bytes(self._row.key or b"")

    async def take(self, key: bytes) -> list[Any]:
        rows = []
        while self.key == key and self._row is not None:
            rows.append(self._row)
            await self.advance()
        return rows


async def side_by_side(*streams: AsyncIterator[Any]) -> AsyncIterator[Subject]:
    """Every key of any of the streams, in byte order, with the rows that each has of it. Each row has a `key`."""
    heads = [_Head(stream) for stream in streams]
    for head in heads:
        await head.advance()
    while keys := [head.key for head in heads if head.key is not None]:
        key = min(keys)
        yield Subject(key, [await head.take(key) for head in heads])
