"""`run`: the worker itself."""

import asyncio

from worker import app
from worker.cli.console import fail, say
from worker.cli.reach import finish
from worker.lane.watchdog import WorkerStuckError
from worker.ops import logs
from worker.settings import Settings, load


def work() -> None:
    """Until SIGTERM or SIGINT."""
    settings = load()
    logs.configure(settings.log)
    try:
        finish(_run(settings))
    except OSError as error:
        fail(
            f"{settings.http.host}:{settings.http.port} cannot be listened on: {error.strerror or error}\n"
            "BILLING_HTTP__PORT chooses another port, 0 a free one."
        )
    except WorkerStuckError as stuck:
        fail(f"{stuck}\nThe process ends so that whatever supervises it starts another; nothing is lost.")


async def _run(settings: Settings) -> None:
    stopping = asyncio.Event()
    app.stop_on_signals(stopping)
    await app.run(settings, stopping, on_ready=lambda address: say(f"ready; health and metrics at {address}"))
