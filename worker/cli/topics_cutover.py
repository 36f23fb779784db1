"""`topics cut-over`: what more partitions would take, then declaring them."""

import sys
from dataclasses import dataclass
from typing import Any

import structlog
import typer

from worker.cli.console import fail, print_facts, print_json, say
from worker.cli.reach import admin, finish, reaching_database, reaching_kafka
from worker.recovery.cutover.run import Plan, cut_over, make_plan
from worker.recovery.ground import Refused, owner_of
from worker.recovery.progress import acting, shown
from worker.settings import Settings, load


@dataclass(frozen=True, slots=True)
class CutOver:
    """What was asked for."""

    partitions: int
    watch_seconds: float
    is_meant: bool
    who: str | None
    as_json: bool


def show_cut_over(asked: CutOver) -> None:
    """Show what stands in the way and what would be done, and do it if it is meant."""
    settings = load()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    database = settings.database
    setting = "BILLING_DATABASE__OWNER_URL" if database.owner_url else "BILLING_DATABASE__URL"
    try:
        with reaching_database(database.owner_url or database.url, setting), reaching_kafka(settings.kafka):
            finish(_carry_out(settings, asked))
    except Refused as refused:
        fail(str(refused))
    except KeyboardInterrupt:
        fail("Stopped. Nothing is declared; the same command begins again.")


async def _carry_out(settings: Settings, asked: CutOver) -> None:
    name = "cut-over"
    async with admin(settings.kafka) as client, owner_of(settings, name, is_alone=asked.is_meant) as engine:
        if not asked.as_json:
            say(f"Watching for {asked.watch_seconds:g} s whether publishers have paused.")
        plan = await make_plan(settings, engine, client, asked.partitions, asked.watch_seconds)
        if not asked.is_meant or plan.obstacles:
            _show(plan, {"done": False, **plan.as_json()}, as_json=asked.as_json)
            _end_undone(plan)
            return
        noted = {
            "who": acting(asked.who),
            "arguments": {"partitions": asked.partitions, "watchSeconds": asked.watch_seconds},
        }
        with shown(name, total=plan.organizations, unit="organizations") as bar:
            outcome = await cut_over(settings, engine, client, plan, bar, noted)
    _show(plan, {"done": True, **outcome}, as_json=asked.as_json)
    say(
        f"{plan.wanted} partitions are declared. Set BILLING_TOPICS__COMMANDS_PARTITIONS={plan.wanted}, leave "
        "BILLING_TOPICS__PARTITIONS as it is, and start the workers.\n"
        "When they are ready publishers may go on. Subscribers that reckon with the number of lanes begin with the "
        "new one."
    )


def _show(plan: Plan, facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json({**facts, "obstacles": list(plan.obstacles)})
        return
    print_facts(
        [
            ("partitions", f"{plan.declared.partitions} -> {plan.wanted}; the topic has {plan.present}"),
            ("organizations that move", f"{plan.moving} of {plan.organizations}"),
            ("every lane goes on above", facts["above"]),
            ("commands waiting in added partitions", facts["waitingInAddedPartitions"]),
        ]
    )


def _end_undone(plan: Plan) -> None:
    for obstacle in plan.obstacles:
        say(obstacle, style="yellow")
    if plan.obstacles:
        say("Pause the publishers, let the workers decide and publish everything, then end them.")
        raise typer.Exit(1)
    say("Nothing stands in the way. Nothing was changed: --yes does it.")
