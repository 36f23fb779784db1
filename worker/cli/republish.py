"""`republish`: what would go out again, then sending it."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import typer
from aiokafka.errors import KafkaError, ProducerFenced
from sqlalchemy.exc import SQLAlchemyError

from schemas.envelope import ORGANIZATION
from worker import failpoints
from worker.cli.console import fail, print_facts, print_json, print_table, say
from worker.cli.edges import edges_of
from worker.cli.reach import finish, reaching_database, reaching_kafka
from worker.recovery.ground import Refused
from worker.recovery.progress import Bar, acting, shown
from worker.recovery.republish.journal import Amount
from worker.recovery.republish.order import ALL, LOGS, STATES, Order, Selection, Subject, own_name
from worker.recovery.republish.run import Outcome, republish
from worker.recovery.republish.survey import Survey, survey
from worker.settings import Settings, load
from worker.store import audit
from worker.wire.outgoing import Topic

COMMAND: Final = "republish"


@dataclass(frozen=True, slots=True)
class Asked:
    """The options as they were typed."""

    topics: str | None
    lanes: list[int]
    since: str | None
    until: str | None
    organization: str | None
    subject: str | None
    prefix: str | None
    to_topic: str | None
    again: bool
    rate: float | None

    def order(self, settings: Settings) -> Order:
        """What they mean. Raises BadParameter."""
        since, until = edges_of(self.since, self.until, self.lanes)
        if self.organization is not None and not ORGANIZATION.fullmatch(self.organization):
            raise typer.BadParameter("--organization must be a DNS label of at most 63 characters")
        topics = _topics(self.topics)
        selection = Selection(topics, frozenset(self.lanes), since, until, self.organization, _subject(self.subject))
        return Order(selection, self._names(topics, settings), self.again, self.rate)

    def _names(self, topics: frozenset[Topic], settings: Settings) -> dict[Topic, str]:
        if self.prefix and self.to_topic:
            raise typer.BadParameter("--prefix and --to-topic say two things")
        if self.to_topic and len(topics) != 1:
            raise typer.BadParameter("--to-topic needs --topics with one name: records of one kind to a topic")
        if self.to_topic:
            return dict.fromkeys(topics, self.to_topic)
        return {topic: self.prefix + own_name(topic, settings) for topic in topics} if self.prefix else {}


def show_republishing(asked: Asked, *, is_meant: bool, who: str | None, as_json: bool) -> None:
    """Show what would be published, and with `is_meant` publish it."""
    settings = load()
    order = asked.order(settings)
    failpoints.configure(settings.testing.failpoints)
    try:
        with reaching_database(settings.database.url), reaching_kafka(settings.kafka):
            finish(_carry_out(settings, order, acting(who), is_meant=is_meant, as_json=as_json))
    except Refused as refused:
        fail(str(refused))
    except KeyboardInterrupt:
        fail("Stopped. The same command goes on where this was.")


async def _carry_out(settings: Settings, order: Order, who: str, *, is_meant: bool, as_json: bool) -> None:
    async with survey(settings, order) as found:
        if not is_meant:
            _show_plan(found, await found.amounts(await found.stretches()), as_json=as_json)
            return
        outcome = Outcome()
        await _note(found, who, {"state": "begun"})
        with shown("republish") as bar:
            counting = asyncio.create_task(_aim(found, bar))
            try:
                await republish(found, outcome, bar, say)
            except BaseException as error:
                await _note(found, who, {"state": "ended", "why": _why(error), **outcome.as_json()}, is_dying=True)
                if isinstance(error, ProducerFenced):
                    raise Refused("Another republish of this installation has begun; this one is over.") from None
                raise
            finally:
                counting.cancel()
                await asyncio.gather(counting, return_exceptions=True)
            seconds = bar.seconds
        await _note(found, who, {"state": "done", "seconds": round(seconds, 3), **outcome.as_json()})
    _show_outcome(outcome, seconds, as_json=as_json)


async def _aim(found: Survey, bar: Bar) -> None:
    """Count what there is while it is published already: the bar alone goes by it."""
    amounts = await found.amounts(await found.stretches())
    bar.aim(sum(amount.records for of_lane in amounts.values() for amount in of_lane))


async def _note(found: Survey, who: str, outcome: dict[str, Any], *, is_dying: bool = False) -> None:
    try:
        async with found.engine.begin() as connection:
            await audit.record(connection, who, COMMAND, found.order.arguments(), outcome)
    except (SQLAlchemyError, OSError, TimeoutError):
        if not is_dying:
            raise
        say("How it ended could not be noted in the audit.", style="yellow")


def _why(error: BaseException) -> str:
    kind = type(error).__name__
    return str(error) if isinstance(error, Refused) else f"{kind}: {error}" if isinstance(error, KafkaError) else kind


def _show_plan(found: Survey, amounts: dict[int, list[Amount]], *, as_json: bool) -> None:
    """What would be done. Exit code 1 where it would be refused."""
    refusals = found.refusals()
    if as_json:
        print_json(
            {
                "dryRun": True,
                "refused": refusals,
                "resumesFrom": {str(lane): place.offset for lane, place in sorted(found.progress.items())},
                "topics": _by_topic(found, amounts),
                "lanes": {
                    str(lane): {amount.topic.value: _range(amount) for amount in of_lane}
                    for lane, of_lane in amounts.items()
                },
            }
        )
    else:
        rows = [
            (kind, each["to"], f"{each['records']:,}", f"{each['bytes']:,}", each["holds"])
            for kind, each in _by_topic(found, amounts).items()
        ]
        print_table(("records of", "to topic", "records", "bytes", "offsets there"), rows)
        print_table(
            ("lane", "records", "from offset", "through offset"),
            [
                (
                    lane,
                    f"{sum(amount.records for amount in of_lane):,}",
                    min((amount.first for amount in of_lane), default=None),
                    max((amount.last for amount in of_lane), default=None),
                )
                for lane, of_lane in amounts.items()
            ],
        )
        if found.progress:
            say("A run of the same order was ended before; this one would go on where that was.", style="yellow")
        say("Of accounts and payers each key's latest counts, and goes out where the topic has none as new.")
        for refusal in refusals:
            say(refusal, style="red")
        say("Nothing was published: --yes does it.")
    if refusals:
        raise typer.Exit(1)


def _by_topic(found: Survey, amounts: dict[int, list[Amount]]) -> dict[str, dict[str, Any]]:
    records: Counter[Topic] = Counter()
    bytes_: Counter[Topic] = Counter()
    for of_lane in amounts.values():
        for amount in of_lane:
            records[amount.topic] += amount.records
            bytes_[amount.topic] += amount.bytes
    return {
        topic.value: {
            "to": found.targets.name[topic],
            "records": records[topic],
            "bytes": bytes_[topic],
            "holds": found.held.get(topic),
        }
        for topic in found.order.selection.chosen((*LOGS, *STATES))
    }


def _range(amount: Amount) -> dict[str, int]:
    return {"records": amount.records, "bytes": amount.bytes, "first": amount.first, "last": amount.last}


def _show_outcome(outcome: Outcome, seconds: float, *, as_json: bool) -> None:
    done = outcome.as_json()
    count = outcome.published.total()
    if as_json:
        print_json({"dryRun": False, "seconds": round(seconds, 3), "records": count, **done})
        return
    print_facts(
        [
            *((f"{topic} published", f"{published:,}") for topic, published in done["published"].items()),
            ("older than what is there", f"{done['skipped']['older']:,}"),
            ("already there", f"{done['skipped']['alreadyThere']:,}"),
            ("horizons of lanes", ", ".join(map(str, outcome.horizons)) or None),
        ]
    )
    say(f"{count:,} records, {outcome.bytes:,} bytes in {seconds:.1f} s: {count / max(seconds, 1e-9):,.0f} a second")


def _topics(text: str | None) -> frozenset[Topic]:
    if text is None:
        return ALL
    known = {topic.value: topic for topic in (*LOGS, *STATES)}
    names = {name.strip() for name in text.split(",")}
    if unknown := sorted(names - known.keys()):
        raise typer.BadParameter(f"--topics: {unknown[0]!r} is none of {', '.join(sorted(known))}")
    return ALL if names == known.keys() else frozenset(known[name] for name in names)


def _subject(text: str | None) -> Subject | None:
    if text is None:
        return None
    try:
        return Subject.parse(text)
    except ValueError as problem:
        raise typer.BadParameter(f"--subject {problem}") from None
