"""`history`: everybody who ever paid for a project."""

from typing import Any

from worker.cli.asking import asking, written, written_through
from worker.cli.console import fail, print_json, print_parts, print_table
from worker.cli.reach import finish
from worker.settings import Settings, load
from worker.store import queries
from worker.store.queries import History


def show_history(organization: str, project: str, *, as_json: bool) -> None:
    """Answer on stdout; exit code 1 if there is no such project."""
    found = finish(_ask(load(), organization, project))
    if found.project is None:
        fail(f"There is no project {project} in organization {organization}.")
    described = {
        "organization": organization,
        "project": project,
        "locked": found.project.locked,
        "registeredAt": written(found.project.registered_at),
        "deletedAt": written(found.project.deleted_at),
        "bindings": _bindings(found),
        "completeThrough": written_through(found.complete_through),
    }
    if as_json:
        print_json(described)
        return
    if rows := [tuple(binding.values()) for binding in _bindings(found)]:
        print_table(("account", "since", "until", "ended", "currency", "binding"), rows)
    else:
        print_parts(f"nobody ever paid for {project}")
    if found.project.locked:
        print_parts(("locked: its payer stays", "yellow"))
    if found.project.deleted_at is not None:
        print_parts((f"deleted at {written(found.project.deleted_at)}", "yellow"))


async def _ask(settings: Settings, organization: str, project: str) -> History:
    async with asking(settings, organization) as question:
        return await queries.history(question.connection, organization, project, lane=question.lane)


def _bindings(found: History) -> list[dict[str, Any]]:
    listed = [
        {
            "account": interval.account,
            "since": written(interval.since),
            "until": written(interval.until),
            "reason": interval.end.value,
            "currency": interval.currency,
            "binding": interval.binding,
        }
        for interval in found.closed
    ]
    if found.open is not None:
        listed.append(
            {
                "account": found.open.account,
                "since": written(found.open.since),
                "until": None,
                "reason": None,
                "currency": found.open.currency,
                "binding": found.open.id,
            }
        )
    return listed
