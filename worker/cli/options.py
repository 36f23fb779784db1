"""Arguments and options that several commands have. Imports little, like everything that `--help` needs."""

from datetime import datetime
from typing import Annotated

import typer


def _instant(text: str | datetime) -> datetime:
    from schemas.instants import parse_instant

    if isinstance(text, datetime):
        return text
    try:
        return parse_instant(text)
    except ValueError as problem:
        raise typer.BadParameter(f"{problem}, as in 2026-11-01T00:00:00Z") from None


def _dns_label(text: str) -> str:
    from schemas.envelope import ORGANIZATION

    if not ORGANIZATION.fullmatch(text):  # organizations, accounts and projects are all DNS labels
        raise typer.BadParameter("must be 1 to 63 of a-z, 0-9 and -, not beginning or ending with -")
    return text


Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Organization = Annotated[str, typer.Argument(metavar="ORG", callback=_dns_label, help="The organization.")]
Account = Annotated[str, typer.Argument(metavar="ACCOUNT", callback=_dns_label, help="An account of it.")]
Project = Annotated[str, typer.Argument(metavar="PROJECT", callback=_dns_label, help="A project of it.")]
At = Annotated[
    datetime | None,
    typer.Option("--at", metavar="T", parser=_instant, help="An instant, RFC 3339 with an offset. Default: now."),
]
Since = Annotated[
    datetime | None,
    typer.Option("--since", metavar="T", parser=_instant, help="Begin at an instant, RFC 3339 with an offset."),
]
