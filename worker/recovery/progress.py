"""How an operator's command goes on: seen, throttled, and known again after a kill. For every command of recovery.

    with shown("republish", total=rows, unit="records") as bar:
        pace = Pace(rate)                       # None: as fast as it goes
        bookmark = Bookmark(path, {"command": "verify", "organization": "acme"})
        begin = bookmark.read() or {"lane": 0}  # what was kept by a run of the same identity that was killed
        for page in pages(begin):
            ...
            bar.advance(len(page))              # a bar on a terminal with rate and time left; nothing elsewhere
            await pace.keep(len(page))          # waits until the rate allows what was done
            bookmark.keep({"lane": 3})          # written aside and renamed: whole, whenever the process dies
        bookmark.forget()
    bar.count, bar.seconds, bar.rate            # for the summary
    acting(who)                                 # the name for the audit, with --as or without

`bar.aim(total)` when the total is known late, `bar.say("lane 3")` for what is under way. A bookmark may repeat what
came after it was kept. Work that goes by Kafka transactions has a better one: offsets in the transaction (`republish`).
"""

import asyncio
import getpass
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PAGE_SECONDS = 0.5
"""How much work at once looks even under a rate."""


class Bar:
    """Counts what is done. Without a terminal it only counts."""

    def __init__(self, total: int | None) -> None:
        self.total = total
        self.count = 0
        self._began = time.monotonic()

    def advance(self, count: int = 1) -> None:
        """So many more are done."""
        self.count += count

    def aim(self, total: int) -> None:
        """So many are to be done altogether."""
        self.total = total

    def say(self, what: str) -> None:
        """What is under way now."""

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self._began

    @property
    def rate(self) -> float:
        """How many a second so far."""
        return self.count / max(self.seconds, 1e-9)


class _DrawnBar(Bar):
    """The same on a terminal."""

    def __init__(self, drawing: Any, task: Any, total: int | None) -> None:
        super().__init__(total)
        self._drawing, self._task = drawing, task

    def advance(self, count: int = 1) -> None:
        super().advance(count)
        self._drawing.update(self._task, completed=self.count, per_second=f"{self.rate:,.0f}")

    def aim(self, total: int) -> None:
        super().aim(total)
        self._drawing.update(self._task, total=total)

    def say(self, what: str) -> None:
        self._drawing.update(self._task, description=what)


@contextmanager
def shown(what: str, *, total: int | None = None, unit: str = "records", is_shown: bool = True) -> Iterator[Bar]:
    """A bar on stderr with the rate and the time left, while the block lasts; nothing where stderr is no terminal."""
    from rich.console import Console  # noqa: PLC0415 - slow, and not needed by who only imports this module
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    console = Console(stderr=True, highlight=False)
    if not (is_shown and console.is_terminal):
        yield Bar(total)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[per_second]} " + unit + "/s", markup=False),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as drawing:
        yield _DrawnBar(drawing, drawing.add_task(what, total=total, per_second="-"), total)


class Pace:
    """At most so many a second, evened out over the whole run; None is no limit."""

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._done = 0
        self._began: float | None = None

    def page(self, rows_max: int) -> int:
        """How many to take at once so that the rate looks even: at most `rows_max`, at least one."""
        return rows_max if self._rate is None else max(1, min(rows_max, int(self._rate * PAGE_SECONDS)))

    async def keep(self, count: int) -> None:
        """Wait until the rate allows what was done, these included."""
        if self._rate is None:
            return
        self._began = time.monotonic() if self._began is None else self._began
        self._done += count
        await asyncio.sleep(max(0.0, self._began + self._done / self._rate - time.monotonic()))


def acting(who: str | None) -> str:
    """Who does it, for the audit: the name that was given, else the operating system's user, be it a number."""
    if who:
        return who
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user without a name
        return f"uid {os.getuid()}"


class BookmarkOfAnother(ValueError):  # noqa: N818  it is somebody else's
    """The file holds how far another command, or the same with other arguments, has come."""


class Bookmark:
    """How far a run has come, in a file; without a path nothing is kept.

    `identity` is what makes it the same run: its command and whatever decides what is done, never how fast.
    """

    def __init__(self, path: Path | None, identity: Mapping[str, Any]) -> None:
        self._path = path
        self._identity = json.loads(json.dumps(identity))

    def read(self) -> Any:
        """What was kept last, None if nothing was. Raises BookmarkOfAnother."""
        if self._path is None or not self._path.exists():
            return None
        try:
            kept = json.loads(self._path.read_bytes())
            identity, state = kept["of"], kept["at"]
        except (ValueError, TypeError, KeyError):
            raise BookmarkOfAnother(f"{self._path} holds no progress of a command") from None
        if identity != self._identity:
            raise BookmarkOfAnother(f"{self._path} belongs to another run: {json.dumps(identity)}")
        return state

    def keep(self, state: Any) -> None:
        """Keep how far it has come; the file is whole whenever the process or the machine dies."""
        if self._path is None:
            return
        aside = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        with aside.open("w") as file:
            json.dump({"of": self._identity, "at": state}, file)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self._path)

    def forget(self) -> None:
        """The run is finished: the next one begins anew."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
