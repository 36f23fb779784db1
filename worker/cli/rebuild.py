"""`rebuild`: what the topics would make of the database, then making it so."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.cli.console import fail, print_facts, print_json, say
from worker.cli.reach import address_of, finish, reaching_database, reaching_kafka
from worker.folding.events import SequenceGapError
from worker.recovery.ground import Refused, owner_of
from worker.recovery.progress import Bar, acting, shown
from worker.recovery.rebuild.ground import NotEmptyError, NotRebuildableError
from worker.recovery.rebuild.loading import Tally
from worker.recovery.rebuild.outputs import WithoutHorizons
from worker.recovery.rebuild.plan import Plan, make_plan
from worker.recovery.rebuild.run import rebuild
from worker.settings import Settings, load
from worker.store import audit
from worker.wire.published import NotPublishedError

COMMAND: Final = "rebuild"
WITHOUT_HISTORY: Final = (
    "From the states alone there is no history: no phases, no released holds, no payers before a project's last 200.\n"
    "Questions about instants before are answered as if nobody had paid. Projects of suspended accounts are supposed to"
    " have been told."
)
WITHOUT_HORIZONS: Final = (
    "Where lanes stand is told by what they brought about. Of cut-overs nothing is known.\n"
    "Unless the group's offsets are lost too, workers stop until this is declared:"
    " `billing-worker topics declare --all --published-through-position --yes`."
)


def show_rebuild(
    *,
    from_state: bool,
    without_horizons: UUID | None,
    is_meant: bool,
    partitions: int | None,
    rate: float | None,
    who: str | None,
    as_json: bool,
) -> None:
    """Show what would be read, and with `is_meant` rebuild."""
    settings = load()
    database = settings.database
    setting = "BILLING_DATABASE__OWNER_URL" if database.owner_url else "BILLING_DATABASE__URL"
    whose = None if without_horizons is None else str(without_horizons)
    arguments = {"partitions": partitions, "rate": rate, "fromState": from_state, "withoutHorizons": whose}
    try:
        with reaching_database(database.owner_url or database.url, setting), reaching_kafka(settings.kafka):
            finish(_carry_out(settings, arguments, acting(who), is_meant=is_meant, as_json=as_json))
    except (NotEmptyError, NotRebuildableError, SequenceGapError, NotPublishedError) as refused:
        fail(f"{refused}.")
    except Refused as refused:
        fail(str(refused))
    except KeyboardInterrupt:
        fail("Stopped. The same command goes on where this was.")


async def _carry_out(settings: Settings, arguments: dict[str, Any], who: str, *, is_meant: bool, as_json: bool) -> None:
    async with owner_of(settings, "rebuild", is_alone=is_meant) as engine:
        plan = await _plan(settings, engine, arguments)
        if not is_meant:
            _show_plan(settings, plan, as_json=as_json)
            return
        await _note(engine, who, arguments, {"state": "begun", **plan.as_json()})
        with shown("rebuild", total=plan.records) as bar:
            try:
                tally = await rebuild(settings, engine, plan, bar, arguments["rate"])
            except BaseException as error:
                await _note(engine, who, arguments, {"state": "ended", "why": type(error).__name__}, is_dying=True)
                raise
            done = _outcome(tally, bar)
        await _note(engine, who, arguments, {"state": "done", **done})
    if as_json:
        print_json({"installation": str(plan.installation), "lanes": len(plan.lanes), **done})
    else:
        print_facts([("installation", plan.installation), ("lanes", len(plan.lanes)), *done.items()])
        say("The database stands where the topics do: start the workers.")
        if plan.from_state:
            say(WITHOUT_HISTORY, style="yellow")


async def _plan(settings: Settings, engine: AsyncEngine, arguments: dict[str, Any]) -> Plan:
    partitions, from_state = arguments["partitions"], arguments["fromState"]
    if arguments["withoutHorizons"] is None:
        return await make_plan(settings, engine, partitions, from_state=from_state)
    with shown("looking where lanes stand") as bar:
        declared = WithoutHorizons(UUID(arguments["withoutHorizons"]), bar)
        return await make_plan(settings, engine, partitions, from_state=from_state, without_horizons=declared)


def _outcome(tally: Tally, bar: Bar) -> dict[str, Any]:
    return {
        **{name: tally.counts[name] for name in ("events", "results", "ids", "states", "letters")},
        "idsWithoutContent": tally.counts["without content"],
        "repeated": tally.counts["repeated"],
        "unpublished": tally.counts["unpublished"],
        "seconds": round(bar.seconds, 3),
        "eventsPerSecond": round(tally.counts["events"] / max(bar.seconds, 1e-9)),
    }


async def _note(
    engine: AsyncEngine, who: str, arguments: dict[str, Any], outcome: dict[str, Any], *, is_dying: bool = False
) -> None:
    try:
        async with engine.begin() as connection:
            await audit.record(connection, who, COMMAND, arguments, outcome)
    except (SQLAlchemyError, OSError, TimeoutError):
        if not is_dying:
            raise
        say("How it ended could not be noted in the audit.", style="yellow")


def _show_plan(settings: Settings, plan: Plan, *, as_json: bool) -> None:
    facts = plan.as_json()
    if as_json:
        print_json({"done": False, **facts})
        return
    read = facts.pop("topics")
    database = address_of(settings.database.owner_url or settings.database.url)
    print_facts([("database", database), *facts.items(), *((f"in {topic}", count) for topic, count in read.items())])
    _warn(plan)
    say("Nothing was changed: --yes does it.")


def _warn(plan: Plan) -> None:
    if plan.from_state:
        say(WITHOUT_HISTORY, style="yellow")
    if not plan.has_horizons:
        say(WITHOUT_HORIZONS, style="yellow")
