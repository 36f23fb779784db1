"""Batches of all lanes take turns: so many are in memory at once, but nobody waits for whoever stands still."""

import asyncio
import time

from worker.lane.turns import Turn, Turns


async def test_whoever_comes_next_waits_until_a_turn_ends() -> None:
    turns = Turns(2, patience_seconds=60)
    first, _ = await turns.take(), await turns.take()
    waiting = asyncio.create_task(turns.take())
    await asyncio.sleep(0.05)
    assert not waiting.done()

    first.end()

    assert isinstance(await waiting, Turn)


async def test_nobody_waits_for_ever_for_those_that_stand_still() -> None:
    turns = Turns(1, patience_seconds=0.1)
    await turns.take()
    began = time.monotonic()

    await turns.take()

    assert 0.1 <= time.monotonic() - began < 5


async def test_a_turn_ends_once() -> None:
    turns = Turns(1, patience_seconds=0.1)
    turn = await turns.take()
    turn.end()
    turn.end()
    await turns.take()
    waiting = asyncio.create_task(turns.take())

    await asyncio.sleep(0.02)

    assert not waiting.done()
    await waiting


async def test_a_turn_beyond_the_number_frees_no_place() -> None:
    turns = Turns(1, patience_seconds=0.05)
    kept, beyond = await turns.take(), await turns.take()

    beyond.end()
    waiting = asyncio.create_task(turns.take())
    await asyncio.sleep(0.01)

    assert not waiting.done()
    kept.end()
    await waiting
