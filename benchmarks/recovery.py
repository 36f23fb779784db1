"""How fast a lost database is rebuilt, and lost topics are published again: the program itself, on real servers.

    python -m benchmarks.recovery [--events 1000000] [--partitions 12] [--json FILE]

A worker first decides commands until there are so many events: so database, journal and topics are what they are in a
deployment, before Kafka has compacted anything. Then `rebuild` fills an empty database from the topics, the digests of
both databases are compared, and `republish` writes the journal of the new one into new topics. The servers' data lie in
a temporary directory.
"""

import argparse
import asyncio
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.commands import Ran, run
from benchmarks.measuring import drain
from benchmarks.mixes import APPROVAL, command, ready_account
from benchmarks.show import Show
from benchmarks.stage import TEMPLATE, Command, Site, Stage, ends_of, publish, stage
from worker.embedded import Stack

ORGANIZATIONS: Final = 300
EVENTS_PER_COMMAND: Final = 2
FIRST_SHARE: Final = 3
"""One in so many binds gives a project its first payer; the others give it another."""
ACCOUNTS_SHARE: Final = 50
"""One command in so many opens an account."""
HOLDS_SHARE: Final = 200
"""After so many binds an account is suspended and reactivated."""


def commands(count: int) -> Iterator[Command]:
    """Accounts, then first payers, then changes of payers, with accounts suspended and reactivated between."""
    accounts = max(count // ACCOUNTS_SHARE, 2 * ORGANIZATIONS) // ORGANIZATIONS
    projects = count // FIRST_SHARE
    for number in range(accounts * ORGANIZATIONS):
        organization = f"org-{number % ORGANIZATIONS:03}"
        kind, values = ready_account(f"acc-{number // ORGANIZATIONS}")
        yield organization, command(organization, kind, f"open-{number}", **values)
    for number in range(count - accounts * ORGANIZATIONS):
        place, turn = number % projects, number // projects
        organization = f"org-{place % ORGANIZATIONS:03}"
        account = f"acc-{(place // ORGANIZATIONS + turn) % accounts}"
        values = {"project": f"project-{place}", "account": account}
        yield organization, command(organization, "project.bind", f"bind-{number}", **values)
        if number % HOLDS_SHARE == 0:
            hold = {"account": account, "reason": "NON_PAYMENT"}
            yield organization, command(organization, "account.suspend", f"hold-{number}", message="Unpaid.", **hold)
            yield (
                organization,
                command(organization, "account.reactivate", f"lift-{number}", approval=APPROVAL, **hold),
            )


async def perform(stack: Stack, show: Show, events: int, partitions: int) -> dict[str, Any]:
    """The figures of both commands. Raises AssertionError if anything is not as it was, EndedError, TimeoutError."""
    async with stage(stack, show) as at, at.site(partitions=partitions) as lost:
        show.tell("commands are put there")
        await publish(lost.settings, commands(max(events // EVENTS_PER_COMMAND, 4 * ORGANIZATIONS)))
        await drain(at, lost, await ends_of(lost.settings, lost.settings.topics.commands), what="the worker decides")
        url = await stack.postgres.create_database("rebuilt", template=TEMPLATE)
        return {
            "rebuild": await _rebuild(at, lost, lost.through(url)),
            "republish": await _republish(at, lost.through(url)),
        }


async def _rebuild(at: Stage, lost: Site, empty: Site) -> dict[str, float]:
    digest = await _digest(at, lost)
    await at.settle()
    at.show.tell("rebuild")
    ran = await run(at.stack, empty.environment, "rebuild", "--yes", "--json")
    told = ran.said
    if await _digest(at, empty) != digest:
        raise AssertionError("the database that was rebuilt holds something else")
    return _figures(ran, told["events"], sum(told[kind] for kind in ("events", "results", "states", "letters")))


async def _republish(at: Stage, rebuilt: Site) -> dict[str, float]:
    topics = rebuilt.settings.topics.model_dump()
    anew = {
        f"BILLING_TOPICS__{name.upper()}": f"again.{topic}"
        for name, topic in topics.items()
        if isinstance(topic, str) and name != "commands"
    }
    environment = {**rebuilt.environment, **anew}
    await run(at.stack, environment, "topics", "apply")
    await at.settle()
    at.show.tell("republish")
    ran = await run(at.stack, environment, "republish", "--yes", "--json")
    published = ran.said["published"]
    in_journal = "SELECT count(*) FROM journal WHERE topic IN ('account-events', 'binding-events')"
    ((events,),) = await at.ask(rebuilt.settings.database.url, in_journal)
    if events != published["account-events"] + published["binding-events"]:
        raise AssertionError(f"of {events} events others were published again: {published}")
    return _figures(ran, events, sum(published.values()))


async def _digest(at: Stage, site: Site) -> str:
    ran = await run(at.stack, site.environment, "verify", "--digest-only", "--json")
    return str(ran.said["digest"])


def _figures(ran: Ran, events: int, records: int) -> dict[str, float]:
    return {
        "events": events,
        "records": records,
        "seconds": round(ran.seconds, 1),
        "events a second": round(events / ran.seconds),
        "CPU seconds of the command": round(ran.process_cpu_seconds, 1),
        "of Kafka": round(ran.broker_cpu_seconds, 1),
        "of PostgreSQL": round(ran.database_cpu_seconds, 1),
        "peak memory, MiB": round(ran.memory_mebibytes_max),
    }


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--partitions", type=int, default=12)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as directory,
        Show() as show,
        Stack(Path(directory), on_progress=show.tell) as stack,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        figures = runner.run(perform(stack, show, options.events, options.partitions))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    table = Table("", *figures)
    for name in next(iter(figures.values())):
        table.add_row(name, *(f"{of[name]:,}" for of in figures.values()))
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
