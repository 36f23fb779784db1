"""`dev`: Kafka and PostgreSQL of one's own, then the worker; with a story to watch if asked for."""

import asyncio
import os
from http import HTTPStatus
from pathlib import Path
from typing import Annotated
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import typer
import uvloop

from worker import app
from worker.cli.console import fail, say
from worker.ops import logs
from worker.settings import Settings, load

_WORKER_ROLE = "billing_worker"

Directory = Annotated[Path, typer.Option(help="Where the data is kept between runs.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Begin with empty topics and an empty database.")]
NoWorker = Annotated[bool, typer.Option("--no-worker", help="Only Kafka and PostgreSQL, migrated, topics made.")]
EnvFile = Annotated[
    Path | None,
    typer.Option(
        help="Where to write the addresses, as settings for other programs.", show_default="billing.env there"
    ),
]
Demo = Annotated[bool, typer.Option("--demo", help="Publish a story of a few hundred commands and show what happens.")]
Exit = Annotated[bool, typer.Option("--exit", help="With --demo: end when the story ends; 1 if it went wrong.")]


def dev(
    directory: Directory = Path(".billing"),
    fresh: Fresh = False,
    no_worker: NoWorker = False,
    env_file: EnvFile = None,
    demo: Demo = False,
    exit_: Exit = False,
) -> None:
    """Start Kafka and PostgreSQL here, without containers, then the worker.

    Everything listens on 127.0.0.1 at free ports, is kept in .billing/ between runs, and ends with Ctrl-C. Further
    workers and programs join with the settings in .billing/billing.env:

    For example:
        billing-worker dev
        (in another terminal) set -a; . .billing/billing.env; billing-worker lanes
    """
    try:
        from worker.embedded import EmbeddedError, Stack  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError as missing:
        fail(f"{missing.name} is not installed: pip install 'billing-worker[embedded]'")

    if no_worker and demo:
        raise typer.BadParameter("--demo needs the worker")
    stack = Stack(directory, on_progress=say)
    went_well = True
    try:
        addresses = stack.start(fresh=fresh)
        environment = {
            "BILLING_KAFKA__BOOTSTRAP_SERVERS": addresses.bootstrap_servers,
            "BILLING_DATABASE__URL": stack.postgres.url(user=_WORKER_ROLE),
            "BILLING_DATABASE__OWNER_URL": addresses.database_url,
        }
        os.environ.update(environment)
        os.environ.setdefault("BILLING_HTTP__PORT", "0")
        os.environ.setdefault("BILLING_LOG__LEVEL", "warning")
        settings = load()
        logs.configure(settings.log)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_prepare(settings))
            _write(env_file or directory / "billing.env", environment)
            went_well = runner.run(_live(settings, work=not no_worker, demo=demo, leave=exit_))
    except EmbeddedError as error:
        fail(str(error))
    except KeyboardInterrupt:
        say("stopping")
    finally:
        stack.stop()
    raise typer.Exit(0 if went_well else 1)


def _write(env_file: Path, environment: dict[str, str]) -> None:
    env_file.touch(mode=0o600)  # it holds passwords, if only of servers that listen here alone
    env_file.write_text("".join(f"{name}={value}\n" for name, value in environment.items()), "utf-8")
    say(f"settings for other programs are in {env_file}")


async def _prepare(settings: Settings) -> None:
    from worker.cli.migrate import migrate  # noqa: PLC0415
    from worker.cli.topics import apply_topics  # noqa: PLC0415

    await migrate(settings)
    await apply_topics(settings)


async def _live(settings: Settings, *, work: bool, demo: bool, leave: bool) -> bool:
    """Until a signal comes, or the story is told and that is enough. False if the story went wrong."""
    stopping = asyncio.Event()
    app.stop_on_signals(stopping)
    if not work:
        say("the stack is up; Ctrl-C ends it")
        await stopping.wait()
        return True
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def on_ready(address: str) -> None:
        say(f"the worker is up; health and metrics at {address}")
        ready.set_result(address)

    worker = asyncio.create_task(app.run(settings, stopping, on_ready=on_ready))
    telling = asyncio.create_task(_tell(settings, ready, stopping, leave=leave)) if demo else None
    await worker
    if telling is None:
        return True
    if not telling.done():
        telling.cancel()
        await asyncio.wait({telling})
        return True
    return telling.result()


async def _tell(settings: Settings, ready: asyncio.Future[str], stopping: asyncio.Event, *, leave: bool) -> bool:
    from worker.cli.demo import tell  # noqa: PLC0415

    await _lanes_run(await ready)
    try:
        return await tell(settings, stays=not leave)
    finally:
        if leave:
            stopping.set()


async def _lanes_run(address: str) -> None:
    while not await asyncio.to_thread(_is_ready, address):  # noqa: ASYNC110 - the worker tells whoever asks
        await asyncio.sleep(0.1)


def _is_ready(address: str) -> bool:
    by_no_proxy = build_opener(ProxyHandler({}))
    try:
        with by_no_proxy.open(f"{address}/readyz", timeout=5) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except HTTPError:
        return False
