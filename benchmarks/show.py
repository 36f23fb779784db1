"""Progress on stderr: a line for each step, and on a terminal a bar below."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class Bar:
    """How far one step has come."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def reach(self, done: float) -> None:
        """So much is done."""
        self._progress.update(self._task, completed=done)


class Show:
    """What the benchmark is at."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def tell(self, message: str) -> None:
        """A line, with the time since the start."""
        seconds = time.monotonic() - self._began
        self._progress.console.print(f"[{seconds:5.0f} s] {message}", highlight=False, markup=False)

    @contextmanager
    def bar(self, what: str, total: float) -> Iterator[Bar]:
        """A bar for as long as the block lasts."""
        task = self._progress.add_task(what, total=total)
        try:
            yield Bar(self._progress, task)
        finally:
            self._progress.remove_task(task)
