"""Lines of a file or a pipe as batches of commands: checked and put aside first, or as they come."""

import asyncio
import struct
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from typing import BinaryIO, Final, TypeAlias

from worker.cli.publishing.lines import BadLine, Outgoing

BATCH_RECORDS_MAX: Final = 2_000
BATCH_BYTES_MAX: Final = 4 * 1024 * 1024
LINE_BYTES_MAX: Final = 64 * 1024 * 1024
PROBLEMS_MAX: Final = 20

Complete: TypeAlias = Callable[[bytes], Outgoing]
Batches: TypeAlias = AsyncIterator[list[Outgoing]]

_READ_BYTES = 1024 * 1024
_KEPT_IN_MEMORY_BYTES = 16 * 1024 * 1024
_BATCHES_AHEAD = 2
_LENGTHS = struct.Struct(">III")


class BadLines(Exception):  # noqa: N818
    """Lines that are no commands, each named by its number."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))


class Aside:
    """Commands put aside in a temporary file, so that a long input takes no memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.count = 0

    def add(self, command: Outgoing) -> None:
        """Put one more aside."""
        id_ = command.id.encode()
        lengths = _LENGTHS.pack(len(command.key), len(id_), len(command.value))
        self._file.write(b"".join((lengths, command.key, id_, command.value)))
        self.count += 1

    async def batches(self, records_max: int) -> Batches:
        """All of them, in order."""
        self._file.seek(0)
        for batch in in_batches(self._commands(), records_max):
            yield batch

    def _commands(self) -> Iterator[Outgoing]:
        read = self._file.read
        for _ in range(self.count):
            key, id_, value = _LENGTHS.unpack(read(_LENGTHS.size))
            yield Outgoing(read(key), read(id_).decode(), read(value))


@contextmanager
def checked(stream: BinaryIO, complete: Complete, *, keep_empty: bool) -> Iterator[Aside]:
    """Every line of the stream, read to its end. Raises BadLines before there is anything to send."""
    problems: list[str] = []
    with tempfile.SpooledTemporaryFile(max_size=_KEPT_IN_MEMORY_BYTES) as file:
        aside = Aside(file)  # type: ignore[arg-type]  # it is a binary file in all but name
        for number, line in chain.from_iterable(arriving(stream, keep_empty=keep_empty)):
            try:
                aside.add(complete(line))
            except BadLine as bad:
                problems.append(f"line {number}: {bad}")
                if len(problems) == PROBLEMS_MAX:
                    raise BadLines([*problems, "There may be more."]) from None
        if problems:
            raise BadLines(problems)
        yield aside


async def as_they_come(stream: BinaryIO, complete: Complete, records_max: int, *, keep_empty: bool) -> Batches:
    """What a thread reads from the stream, as soon as it is there. Raises BadLines after the commands before it."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[list[Outgoing] | Exception | None] = asyncio.Queue(_BATCHES_AHEAD)

    def hand_over(item: list[Outgoing] | Exception | None) -> None:
        asyncio.run_coroutine_threadsafe(queue.put(item), loop).result()

    def read() -> None:
        try:
            for lines in arriving(stream, keep_empty=keep_empty):
                ready: list[Outgoing] = []
                for number, line in lines:
                    try:
                        ready.append(complete(line))
                    except BadLine as bad:
                        hand_over(ready)
                        raise BadLines([f"line {number}: {bad}"]) from None
                hand_over(ready)
            hand_over(None)
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            with suppress(RuntimeError):  # nobody waits any more
                hand_over(error)

    threading.Thread(target=read, daemon=True).start()  # a daemon: it may read from a pipe that never ends
    while (item := await queue.get()) is not None:
        if isinstance(item, Exception):
            raise item
        for batch in in_batches(iter(item), records_max):
            yield batch


def arriving(stream: BinaryIO, *, keep_empty: bool) -> Iterator[list[tuple[int, bytes]]]:
    """The lines that are there already, with their numbers from 1, without waiting for more."""
    number, rest = 0, b""
    while chunk := stream.read1(_READ_BYTES):  # type: ignore[attr-defined]  # buffered ones have it
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > LINE_BYTES_MAX:
            raise BadLines([f"line {number + len(whole) + 1}: It has more than {LINE_BYTES_MAX} bytes."])
        yield [(number + nth, line) for nth, line in enumerate(whole, 1) if keep_empty or line.strip()]
        number += len(whole)
    if rest:
        yield [(number + 1, rest)]


def in_batches(commands: Iterator[Outgoing], records_max: int) -> Iterator[list[Outgoing]]:
    """Lists of at most so many records and bytes; a larger record is alone in its own."""
    batch: list[Outgoing] = []
    size = 0
    for command in commands:
        if batch and (len(batch) >= records_max or size + len(command.value) > BATCH_BYTES_MAX):
            yield batch
            batch, size = [], 0
        batch.append(command)
        size += len(command.value)
    if batch:
        yield batch
