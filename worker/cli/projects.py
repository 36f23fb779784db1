"""`projects`: what an account pays for."""

from collections.abc import AsyncIterator
from datetime import datetime

from worker.cli.asking import Asking, asking, written, written_through
from worker.cli.console import fail, print_json, print_table, say
from worker.cli.reach import finish
from worker.settings import Settings, load
from worker.store import queries
from worker.store.queries import PROJECTS_MAX, PaidProjects


def show_projects(organization: str, account: str, at: datetime | None, *, as_json: bool) -> None:
    """Answer on stdout; exit code 1 if there is no such account."""
    count = finish(_list(load(), organization, account, at, as_json=as_json))
    say(f"{count} {'project' if count == 1 else 'projects'}")


async def _list(settings: Settings, organization: str, account: str, at: datetime | None, *, as_json: bool) -> int:
    count = 0
    async with asking(settings, organization) as question:
        standing = await queries.account(question.connection, organization, account, lane=question.lane)
        if standing.account is None:
            fail(f"There is no account {account} in organization {organization}.")
        at = at or await question.now()
        async for page in _pages(question, organization, account, at):
            if as_json:
                _print_lines(page)
            elif page.projects:
                rows = [
                    (paid.project, written(paid.since), written(paid.until), paid.binding) for paid in page.projects
                ]
                print_table(("project", "since", "until", "binding"), rows)
            count += len(page.projects)
    return count


async def _pages(question: Asking, organization: str, account: str, at: datetime) -> AsyncIterator[PaidProjects]:
    after = ""
    while True:
        page = await queries.projects(
            question.connection, organization, account, lane=question.lane, at=at, after=after
        )
        yield page
        if len(page.projects) < PROJECTS_MAX:
            return
        after = page.projects[-1].project


def _print_lines(page: PaidProjects) -> None:
    through = written_through(page.complete_through)
    final = page.at is not None and page.complete_through is not None and page.at <= page.complete_through
    for paid in page.projects:
        print_json(
            {
                "organization": page.organization,
                "account": page.account,
                "at": written(page.at),
                "project": paid.project,
                "binding": paid.binding,
                "currency": paid.currency,
                "since": written(paid.since),
                "until": written(paid.until),
                "completeThrough": through,
                "final": final,
            }
        )
