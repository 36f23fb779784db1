"""`watch` and `schemas`, as they are typed."""

from typing import Annotated

import typer

from worker.cli.options import Json, Since

TopicNames = Annotated[
    str,
    typer.Option(
        "--topics",
        help="Which, with commas: events, account-events, binding-events, results, accounts, payers, horizons, "
        "dead-letters, commands, all.",
    ),
]
OfOrganization = Annotated[str | None, typer.Option("--organization", help="Only of this organization.")]
OfAccount = Annotated[str | None, typer.Option("--account", help="Only about accounts of this id.")]
OfProject = Annotated[str | None, typer.Option("--project", help="Only about projects of this id.")]
OfType = Annotated[list[str] | None, typer.Option("--type", help="Only of this type; may be given again.")]
FromBeginning = Annotated[bool, typer.Option("--from-beginning", help="Begin with the oldest that is kept.")]
Count = Annotated[int | None, typer.Option("--count", min=1, help="End after so many.")]
Idle = Annotated[float | None, typer.Option("--idle", min=0.1, help="End when nothing came for so many seconds.")]


Type = Annotated[str | None, typer.Argument(metavar="TYPE", help="A message type, as project.bind, or an envelope.")]
Asyncapi = Annotated[bool, typer.Option("--asyncapi", help="Print all topics as one AsyncAPI 3.1 document.")]


def watch(
    *,
    names: TopicNames = "events,results",
    organization: OfOrganization = None,
    account: OfAccount = None,
    project: OfProject = None,
    types: OfType = None,
    from_beginning: FromBeginning = False,
    since: Since = None,
    count: Count = None,
    idle: Idle = None,
    as_json: Json = False,
) -> None:
    """Show what happens, a line for each event and result.

    When, what, about whom. Only looks: it joins no group and commits nothing. Shows what is committed. Ctrl-C ends it.

    For example:
        billing-worker watch --organization acme

        billing-worker watch --project web --from-beginning --idle 2 --json

        billing-worker watch --topics dead-letters --since 2026-11-01T00:00:00Z
    """
    if from_beginning and since:
        raise typer.BadParameter("--from-beginning and --since say two things")
    from worker.cli.watch import show_records
    from worker.cli.watching.following import End, Start
    from worker.cli.watching.seen import Wanted

    start = Start.of_the_logs() if from_beginning else Start(since)
    wanted = Wanted.of(organization, account, project, types or [])
    show_records(names, wanted, start, End(count, idle), as_json=as_json)


def schemas(kind: Type = None, as_asyncapi: Asyncapi = False, as_json: Json = False) -> None:
    """List the types of messages, or print the JSON Schema of one.

    Needs neither Kafka nor PostgreSQL.

    For example:
        billing-worker schemas

        billing-worker schemas project.bind

        billing-worker schemas --asyncapi > asyncapi.json
    """
    if kind and as_asyncapi:
        raise typer.BadParameter("--asyncapi is about all types")
    from worker.cli.contract import show_asyncapi, show_schema, show_types

    if as_asyncapi:
        show_asyncapi()
    elif kind:
        show_schema(kind)
    else:
        show_types(as_json=as_json)
