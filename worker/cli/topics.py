"""`topics plan` and `topics apply`: the topics as the settings want them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import typer
from aiokafka.errors import ClusterAuthorizationFailedError, TopicAuthorizationFailedError
from sqlalchemy.exc import SQLAlchemyError

from worker.broker import topics
from worker.broker.acls import ANY, Principals, rights
from worker.broker.topics import Difference
from worker.cli.console import fail, print_json, print_parts, print_table, say
from worker.cli.reach import address_of, admin, finish
from worker.settings import Settings, load
from worker.store import installation
from worker.store.engine import create_engine


def show_plan(who: Principals, *, as_json: bool) -> None:
    """Tell what there is to do, and who has to be allowed what."""
    settings = load()
    differences, installed = finish(_look(settings))
    wanted = rights(settings, who, installed)
    _print(differences, [each.command(settings) for each in wanted], as_json=as_json)
    if installed is None and any(ANY in each.names for each in wanted):
        say(
            f"The database at {address_of(settings.database.url)} does not tell the installation, which `migrate` "
            "makes: until it does, the worker is allowed every transactional id. Plan again after `migrate`.",
            style="yellow",
        )


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
        except (TopicAuthorizationFailedError, ClusterAuthorizationFailedError) as error:
            fail(
                f"Kafka at {settings.kafka.bootstrap_servers} refuses: {type(error).__name__}: {error}\n"
                "Topics are made by an administrator: set his BILLING_KAFKA__USERNAME and password for this command."
            )
        except TimeoutError:
            fail("The cluster took the changes and does not show them yet: look with `billing-worker topics plan`.")


async def _look(settings: Settings) -> tuple[list[Difference], UUID | None]:
    async with admin(settings.kafka) as client:
        differences = await topics.compare(client, topics.plan(settings))
    return differences, await _installed(settings)


async def _installed(settings: Settings) -> UUID | None:
    """The installation, whose id is the beginning of its transactional ids; None where no database tells it."""
    engine = create_engine(settings.database.url, application_name="billing-worker topics", connections_max=1)
    try:
        async with engine.connect() as connection:
            return (await installation.read(connection)).id
    except (SQLAlchemyError, OSError, TimeoutError):
        return None
    finally:
        await engine.dispose()


def _steps(difference: Difference) -> list[str]:
    if difference.is_missing:
        unless = ", if it is not there: this client may not see it" if difference.is_hidden else ""
        return [f"make it with {difference.plan.partitions} partitions{unless}"]
    return [f"{change.name} {change.present} -> {change.wanted}" for change in difference.changes]


def _print(differences: Sequence[Difference], allowed: Sequence[str] | None = None, *, as_json: bool) -> None:
    if as_json:
        acls = {} if allowed is None else {"acls": list(allowed)}
        print_json(
            {
                "changes": any(difference.is_mendable for difference in differences),
                "problems": any(difference.problems for difference in differences),
                "topics": [_as_json(difference) for difference in differences],
                **acls,
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
    for command in allowed or ():
        print_parts(command)


def _words(difference: Difference) -> list[str]:
    return [*_steps(difference), *difference.problems] or ["nothing"]


def _as_json(difference: Difference) -> dict[str, Any]:
    return {
        "name": difference.plan.name,
        "partitions": difference.plan.partitions,
        "missing": difference.is_missing,
        "hidden": difference.is_hidden,
        "settings": {
            change.name: {"present": change.present, "wanted": change.wanted} for change in difference.changes
        },
        "problems": list(difference.problems),
        "warnings": list(difference.warnings),
    }
