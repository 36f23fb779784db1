"""What a subscriber knows as lines of JSON, so that it goes on after a restart where it was."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from schemas.subscriber.horizons import Horizons
from schemas.subscriber.project import Project
from schemas.subscriber.timeline import Period, Timeline

_FORMAT = 1

Projects = dict[tuple[str, str], Project]


def write(head: Mapping[str, Any], horizons: Horizons, projects: Projects) -> Iterator[str]:
    """A head with the number of lines that follow, then one line a project. Horizons that wait will wait anew."""
    told = {n: max(horizons.told.get(n, ""), horizons.waiting.get(n, "")) for n in horizons.told | horizons.waiting}
    yield _line(
        {
            "format": _FORMAT,
            **head,
            "positions": horizons.positions,
            "final": horizons.final,
            "told": told,
            "projects": len(projects),
        }
    )
    for (organization, name), project in list(projects.items()):
        yield _line([organization, name, project.heard_of, project.removed, [_parts(s) for s in project.stretches]])


def read(lines: Iterable[str]) -> tuple[dict[str, Any], Horizons, Projects]:
    """The same back. ValueError if lines are missing, or it is of another format."""
    rest = iter(lines)
    head = json.loads(next(rest, "{}"))
    if head.get("format") != _FORMAT:
        raise ValueError("not what a subscriber dumped")
    horizons = Horizons(
        final={int(n): through for n, through in head["final"].items()},
        positions=head["positions"],
        told={int(n): through for n, through in head["told"].items()},
    )
    projects: Projects = {}
    for line in rest:
        organization, name, heard_of, removed, stretches = json.loads(line)
        projects[organization, name] = Project([_stretch(*parts) for parts in stretches], heard_of, removed)
    if len(projects) != head["projects"]:
        raise ValueError("what a subscriber dumped has lost some of its lines")
    return head, horizons, projects


def _parts(stretch: Timeline) -> list[Any]:
    return [stretch.sequence, stretch.since, stretch.through, stretch.periods, stretch.deleted_at]


def _stretch(
    sequence: int, since: str | None, through: str, periods: list[list[Any]], deleted_at: str | None
) -> Timeline:
    return Timeline(sequence, since, through, [Period(*period) for period in periods], deleted_at)


def _line(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
