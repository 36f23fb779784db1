"""Why brokers do not let a client in is noted while it starts, and no longer: its tasks try again for ever."""

import asyncio

import pytest

from worker.broker import refusals


async def test_a_clients_tasks_note_nothing_once_it_has_started(unused_tcp_port: int) -> None:
    async def try_again(started: asyncio.Event) -> None:
        await started.wait()
        with pytest.raises(OSError, match=r"refused|Connect"):
            await refusals._watched("127.0.0.1", unused_tcp_port)  # noqa: SLF001

    started = asyncio.Event()
    with refusals._noting() as seen:  # noqa: SLF001
        with pytest.raises(OSError, match=r"refused|Connect"):
            await refusals._watched("127.0.0.1", unused_tcp_port)  # noqa: SLF001
        trying = asyncio.create_task(try_again(started))
    started.set()
    await trying

    assert len(seen.refused) == 1
