"""`watch`: what happens, as it happens."""

import sys

import typer
from aiokafka import TopicPartition

from worker.cli.console import print_parts
from worker.cli.publishing.placing import partitions_by_topic
from worker.cli.reach import consumer, fail_without, finish
from worker.cli.watching.following import End, Start, follow
from worker.cli.watching.seen import Seen, Wanted, see
from worker.cli.watching.words import words_of
from worker.settings import Settings, Topics, load

_KIND_WIDTH = 32


def show_records(names: str, wanted: Wanted, start: Start, end: End, *, as_json: bool) -> None:
    """Show them until the end, or Ctrl-C."""
    settings = load()
    topics = _chosen(names, settings.topics)
    try:
        finish(_watch(settings, topics, wanted, start, end, as_json=as_json))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


async def _watch(
    settings: Settings,
    topics: list[str],
    wanted: Wanted,
    start: Start,
    end: End,
    *,
    as_json: bool,
) -> None:
    present = await partitions_by_topic(settings)
    if missing := [topic for topic in topics if topic not in present]:
        await fail_without(settings.kafka, missing)
    logs = [TopicPartition(topic, partition) for topic in topics for partition in range(present[topic])]
    shown = 0
    async with consumer(settings.kafka) as client:
        async for record in follow(client, logs, start, end.idle_seconds):
            seen = see(record)
            if not wanted.fits(seen):
                continue
            _show(seen, as_json=as_json)
            shown += 1
            if shown == end.count:
                return


def _show(seen: Seen, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(seen.as_json() + "\n")
    else:
        kind = seen.kind.removeprefix("billing.").removesuffix(".v1")
        print_parts((seen.at, "dim"), "  ", (f"{kind:<{_KIND_WIDTH}}", "blue"), f"  {seen.subject}  {words_of(seen)}")
    sys.stdout.flush()


def _chosen(names: str, topics: Topics) -> list[str]:
    known = {
        "events": [topics.account_events, topics.binding_events],
        "account-events": [topics.account_events],
        "binding-events": [topics.binding_events],
        "results": [topics.command_results],
        "accounts": [topics.accounts],
        "payers": [topics.payers],
        "horizons": [topics.horizons],
        "dead-letters": [topics.dead_letters],
        "commands": [topics.commands],
    }
    known["all"] = [name for chosen in known.values() for name in chosen]
    chosen: dict[str, None] = {}
    for name in names.split(","):
        if name.strip() not in known:
            raise typer.BadParameter(f"--topics: {name.strip()!r} is none of {', '.join(known)}")
        chosen |= dict.fromkeys(known[name.strip()])
    return list(chosen)
