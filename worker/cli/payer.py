"""`payer`: who pays for a project at an instant."""

from datetime import datetime
from typing import Any

from worker.cli.asking import asking, written, written_through
from worker.cli.console import print_json, print_parts
from worker.cli.reach import finish
from worker.settings import Settings, load
from worker.store import queries


def show_payer(organization: str, project: str, at: datetime | None, *, as_json: bool) -> None:
    """Answer on stdout."""
    answer = finish(_ask(load(), organization, project, at))
    if as_json:
        print_json(answer)
        return
    if answer["account"] is None:
        print_parts(("nobody", "bold yellow"), f" pays for {project} at {answer['at']}")
    else:
        until = f" until {answer['until']}" if answer["until"] else ""
        print_parts((answer["account"], "bold"), f" pays for {project} at {answer['at']}")
        print_parts((f"binding {answer['binding']}, since {answer['since']}{until}", "dim"))
    through = answer["completeThrough"]
    complete = f"complete through {through}" if through else "nothing has been decided yet"
    print_parts((f"{'final' if answer['final'] else 'not final yet'}: {complete}", "dim"))


async def _ask(settings: Settings, organization: str, project: str, at: datetime | None) -> dict[str, Any]:
    async with asking(settings, organization) as question:
        at = at or await question.now()
        found = await queries.payer(question.connection, organization, project, at, lane=question.lane)
    through = written_through(found.complete_through)
    return {
        "organization": organization,
        "project": project,
        "at": written(at),
        "account": found.account,
        "binding": found.binding,
        "since": written(found.since),
        "until": written(found.until),
        "completeThrough": through,
        "final": found.complete_through is not None and at <= found.complete_through,
    }
