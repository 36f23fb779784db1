"""`publish`, as it is typed."""

from typing import Annotated

import typer

from worker.cli.options import Json

DEFAULT_SOURCE = "billing-worker-cli"

File = Annotated[str | None, typer.Argument(metavar="FILE", help="JSON lines, a command each; - is stdin.")]
Type = Annotated[str | None, typer.Option("--type", help="One command without a file: its type, as project.bind.")]
Data = Annotated[str | None, typer.Option("--data", metavar="JSON", help="Its data.")]
Id = Annotated[str | None, typer.Option("--id", help="Its id; default: a new one.")]
Version = Annotated[int | None, typer.Option("--expected-version", help="The account's sequence it was written for.")]
Organization = Annotated[str | None, typer.Option("--organization", help="Of the command; of lines that name none.")]
Actor = Annotated[str | None, typer.Option("--actor", help="Who does it; of lines that name nobody.")]
Correlation = Annotated[str | None, typer.Option("--correlation-id", help="What belongs together.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Ask what would happen, and change nothing.")]
From = Annotated[str, typer.Option("--source", help="CloudEvents source of completed commands.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for every result; exit 1 if one is rejected or missing.")]
WaitSeconds = Annotated[float, typer.Option("--wait-seconds", min=0.1, help="With --wait: how long to bear silence.")]
Rate = Annotated[float | None, typer.Option("--rate", min=0.01, help="So many commands per second at most.")]
NoCheck = Annotated[bool, typer.Option("--no-check", help="Send lines as they come, before the last is read.")]
Raw = Annotated[bool, typer.Option("--raw", help="Send lines untouched, readable or not. Needs --key.")]
Key = Annotated[str | None, typer.Option("--key", help="With --raw: the key of the records.")]


def publish(
    file: File = None,
    *,
    kind: Type = None,
    organization: Organization = None,
    data: Data = None,
    id_: Id = None,
    actor: Actor = None,
    expected_version: Version = None,
    correlation_id: Correlation = None,
    dry_run: DryRun = False,
    source: From = DEFAULT_SOURCE,
    wait: Wait = False,
    wait_seconds: WaitSeconds = 30.0,
    rate: Rate = None,
    no_check: NoCheck = False,
    raw: Raw = False,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Send commands, one or a whole file of them.

    A line is a whole CloudEvents document, sent as it is, or a short form that is completed:

        {"type": "project.bind", "organization": "acme", "data": {"project": "web", "account": "main"}}

    All lines are checked before the first is sent. --no-check sends at once, for a program that keeps writing lines.

    For example:
        billing-worker publish --organization acme --type project.register --data '{"project": "web"}' --wait

        billing-worker publish commands.jsonl --actor me@example.com --wait

        generate-commands | billing-worker publish - --no-check --rate 500
    """
    given = _named(organization=organization, actor=actor, correlationid=correlation_id, dryrun=dry_run or None)
    single = _named(type=kind, data=data, id=id_, expectedversion=expected_version)
    _check_usage(file, single, raw=raw, key=key, wait=wait)
    from worker.cli.publish import Ways, publish_file, publish_one, publish_raw

    ways = Ways(rate, wait_seconds if wait else None, is_checked=not no_check, as_json=as_json)
    if file is None:
        publish_one(single, given, source, ways)
    elif raw:
        publish_raw(file, key or "", ways)
    else:
        publish_file(file, given, source, ways)


def _named(**attributes: object) -> dict[str, object]:
    return {name: value for name, value in attributes.items() if value is not None}


def _check_usage(file: str | None, single: dict[str, object], *, raw: bool, key: str | None, wait: bool) -> None:
    if file is None and "type" not in single:
        raise typer.BadParameter("give a FILE, - for stdin, or one command with --type, --organization and --data")
    if file is not None and single:
        raise typer.BadParameter("--type, --data, --id and --expected-version are for one command without a FILE")
    if raw and (key is None or file is None):
        raise typer.BadParameter("--raw needs --key and a FILE")
    if key is not None and not raw:
        raise typer.BadParameter("--key goes with --raw: other commands have their organization as key")
    if raw and wait:
        raise typer.BadParameter("--wait needs commands that can be read; see them all with `billing-worker watch`")
