"""A program that stops in the midst of saving, as a worker may: with its lanes' rows locked, and a COPY half sent.

Arguments: the database's URL, and for how many seconds a session may be idle in a transaction.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator

from sqlalchemy import text

from worker.store.engine import create_engine, limits


async def stop(url: str, idle_in_transaction_seconds: float) -> None:
    """Lock, begin to copy, and stop. Once continued, the rows end and the transaction is committed."""
    limited = limits(idle_in_transaction_seconds=idle_in_transaction_seconds, statement_seconds=5)
    async with create_engine(url, server_limits=limited).connect() as connection:
        await connection.execute(text("UPDATE lanes SET epoch = epoch"))
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        await driver.copy_records_to_table("rules", columns=["lane"], records=rows())
        await connection.commit()


async def rows() -> AsyncIterator[tuple[int]]:
    """None, after a stop."""
    await asyncio.sleep(0.5)  # what was sent before has arrived
    os.kill(os.getpid(), signal.SIGSTOP)
    for row in list[tuple[int]]():
        yield row


if __name__ == "__main__":
    asyncio.run(stop(sys.argv[1], float(sys.argv[2])))
