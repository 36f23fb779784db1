"""Works that go on side by side end together: with the error of the first that fails, and with nothing left running."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from worker.domain.book import Book
from worker.domain.values import Rules
from worker.recovery.ahead import side_by_side
from worker.recovery.rebuild.loading import Loading, Tally, Whole
from worker.wire.outgoing import Topic


class Broken(Exception):  # noqa: N818 - by the test
    pass


class Works:
    """What becomes of the works of a test."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ended = False

    async def goes_on(self, *, ends_with: type[Exception] | None = None) -> None:
        """For ever, unless it is ended."""
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended = True
            if ends_with is not None:
                raise ends_with

    async def fails(self) -> None:
        """As soon as the other one goes on."""
        await self.begun.wait()
        raise Broken


@pytest.mark.parametrize("ends_with", [None, ValueError])
async def test_an_error_ends_the_others_and_is_raised_as_it_is(ends_with: type[Exception] | None) -> None:
    works = Works()

    with pytest.raises(Broken):
        await side_by_side([works.goes_on(ends_with=ends_with), works.fails()])

    assert works.ended


@pytest.mark.parametrize("ends_with", [None, ValueError])
async def test_whoever_is_cancelled_hears_nothing_else(ends_with: type[Exception] | None) -> None:
    """Ctrl-C cancels: the operator is told that it was stopped, not what a connection says that was broken off."""
    works = Works()
    waiting = asyncio.create_task(side_by_side([works.goes_on(ends_with=ends_with)]))
    await works.begun.wait()

    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert works.ended


async def test_a_work_that_was_cancelled_from_within_is_not_taken_for_done() -> None:
    async def waits_for_what_is_cancelled() -> None:
        never = asyncio.get_running_loop().create_future()
        never.cancel()
        await never

    async def is_done() -> None:
        await asyncio.sleep(0)

    with pytest.raises(asyncio.CancelledError):
        await side_by_side([is_done(), waits_for_what_is_cancelled()])


async def test_projects_of_which_only_the_name_is_kept_count_as_kept_in_memory() -> None:
    """A piece ends when too much is in memory: with one partition all payers' names would be."""

    class Removed:
        offset, timestamp, value, headers = 0, 0, None, ()

        def __init__(self, key: bytes) -> None:
            self.key = key

    whole = Whole("commands", {0: 10}, 1, timedelta(days=1), is_transactional=True)
    nowhere: Any = None
    loading = Loading(Topic.PAYERS, Book(uuid4(), Rules()), whole, nowhere, Tally())

    await loading.take(nowhere, [Removed(f"acme/project-{number % 7}".encode()) for number in range(20)])
    await loading.wait()

    assert loading.subjects == 7
