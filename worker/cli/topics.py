"""`topics plan` and `topics apply`: the topics as the settings want them."""

from collections.abc import Sequence
from typing import Any

import typer

from worker.broker import topics
from worker.broker.topics import Difference
from worker.cli.console import fail, print_json, print_table, say
from worker.cli.reach import admin, finish
from worker.settings import Settings, load


def show_plan(*, as_json: bool) -> None:
    """Tell what there is to do."""
    _print(finish(_compare(load())), as_json=as_json)


def show_application(*, as_json: bool) -> None:
    """Do it, and tell what is left; exit code 1 if that is something."""
    left = finish(apply_topics(load()))
    _print(left, as_json=as_json)
    if any(difference.problems for difference in left):
        raise typer.Exit(1)


async def apply_topics(settings: Settings) -> list[Difference]:
    """Make the topics as they should be; what is left is no business of this program. Says every step on stderr."""
    async with admin(settings.kafka) as client:
        differences = await topics.compare(client, topics.plan(settings))
        for difference in differences:
            if difference.is_mendable:
                say(f"{difference.plan.name}: {', '.join(_steps(difference))}")
        if not any(difference.is_mendable for difference in differences):
            return differences
        try:
            return await topics.apply(client, differences)
        except TimeoutError:
            fail("The cluster took the changes and does not show them yet: look with `billing-worker topics plan`.")


async def _compare(settings: Settings) -> list[Difference]:
    async with admin(settings.kafka) as client:
        return await topics.compare(client, topics.plan(settings))


def _steps(difference: Difference) -> list[str]:
    if difference.is_missing:
        return [f"make it with {difference.plan.partitions} partitions"]
    return [f"{change.name} {change.present} -> {change.wanted}" for change in difference.changes]


def _print(differences: Sequence[Difference], *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "changes": any(difference.is_mendable for difference in differences),
                "problems": any(difference.problems for difference in differences),
                "topics": [_as_json(difference) for difference in differences],
            }
        )
        return
    rows = [
        (difference.plan.name, difference.plan.partitions, difference.plan.carries, "\n".join(_words(difference)))
        for difference in differences
    ]
    print_table(("topic", "partitions", "carries", "to do"), rows)
    for difference in differences:
        for warning in difference.warnings:
            say(f"{difference.plan.name} {warning}", style="yellow")


def _words(difference: Difference) -> list[str]:
    return [*_steps(difference), *difference.problems] or ["nothing"]


def _as_json(difference: Difference) -> dict[str, Any]:
    return {
        "name": difference.plan.name,
        "partitions": difference.plan.partitions,
        "missing": difference.is_missing,
        "settings": {
            change.name: {"present": change.present, "wanted": change.wanted} for change in difference.changes
        },
        "problems": list(difference.problems),
        "warnings": list(difference.warnings),
    }
