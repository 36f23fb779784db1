"""Projects and bindings beside the events of projects and their latest states."""

from collections.abc import Sequence
from typing import Any, Final

import orjson
from sqlalchemy import Row

from schemas.instants import format_instant
from worker.domain.projects import CLOSED_INTERVALS_MAX, Project
from worker.domain.values import Binding, Interval
from worker.recovery.verify import subjects
from worker.recovery.verify.finding import Check, Finding
from worker.recovery.verify.ground import Ground
from worker.recovery.verify.merging import Subject, side_by_side
from worker.recovery.verify.project_fold import Paid, ProjectFold
from worker.recovery.verify.records import Json
from worker.recovery.verify.subjects import written
from worker.store.bindings import ENDS
from worker.wire.outgoing import Topic
from worker.wire.states import payer_state

_ENDS: Final = {ended: end for end, ended in ENDS.items()}
BINDING_COLUMNS: Final = "t.*, CAST(t.binding AS text) AS id, nullif(t.until, 'infinity') AS ends"


class ProjectsAndTheirEvents:
    """One pass over projects, bindings, their events and latest states."""

    checks = (
        Check(
            "sequences_of_projects_have_no_holes", "The events of a project are numbered 1, 2, 3 up to its sequence."
        ),
        Check(
            "events_make_the_projects", "A project is what its events make of it, and none contradicts those before."
        ),
        Check("events_make_the_timelines", "Who paid, from when until when, is what the events of bindings say."),
        Check("the_latest_state_is_the_project", "The journal's last state record of a project is the project."),
    )
    units = ("events", "projects", "intervals", "states")

    def rows(self, ground: Ground) -> int:
        """How many rows it looks at, without those of the journal."""
        return ground.rows["projects"] + ground.rows["bindings"]

    async def prove(self, ground: Ground, findings: Sequence[Finding]) -> None:
        """Project by project, in the order of their keys."""
        for finding, unit in zip(findings, self.units, strict=True):
            finding.unit = unit
            finding.notes += subjects.notes_of_reach(ground)
        async for subject in side_by_side(
            subjects.events(ground, Topic.BINDING_EVENTS),
            subjects.table(ground, "projects", "t.*", "project"),
            subjects.table(ground, "bindings", BINDING_COLUMNS, "project", ", t.since"),
            subjects.latest_states(ground, Topic.PAYERS),
        ):
            _prove(ground, findings, subject)
            await ground.did(sum(map(len, subject.rows[1:3])))


def project_shown(row: Row[Any], bindings: Sequence[Row[Any]]) -> Json:
    """A project as `billing.payers` carries it, from its row and all of its bindings, oldest first."""
    closed = [
        Interval(each.id, each.account, each.currency, each.since, each.ends, _ENDS[each.ended])
        for each in bindings
        if each.ended != "open"
    ]
    opened = [Binding(each.id, each.account, each.since, each.currency) for each in bindings if each.ended == "open"]
    is_cut = len(closed) > CLOSED_INTERVALS_MAX
    project = Project(
        organization=row.organization,
        id=row.project,
        sequence=row.sequence,
        registered_at=row.registered_at,
        closed_since=closed[-CLOSED_INTERVALS_MAX - 1].until if is_cut else row.registered_at,
        open=opened[-1] if opened else None,
        locked=row.locked,
        closed=tuple(closed[-CLOSED_INTERVALS_MAX:]),
        deleted_at=row.deleted_at,
        at_risk=row.at_risk,
        tombstoned=row.tombstoned,
    )
    shown: Json = orjson.loads(orjson.dumps(payer_state(project)))
    return shown


def _prove(ground: Ground, findings: Sequence[Finding], subject: Subject) -> None:
    for finding, rows in zip(findings, subject.rows, strict=True):
        finding.looked_at += len(rows)
    sequences, projects, timelines, states = findings
    events, rows, bindings, latest = subject.rows
    name = f"projects/{subject.key.decode(errors='backslashreplace')}"
    row = rows[0] if rows else None
    is_whole = subjects.prove_sequences(ground, sequences, name, events, row, row and row.registered_at)
    if row is None:
        return
    is_removed = bool(latest) and latest[0].value is None
    if latest and is_removed != row.tombstoned:
        states.refute(subject=name, problem="removed in one place only", tombstoned=row.tombstoned, removed=is_removed)
    elif not row.tombstoned:
        subjects.prove_state(ground, states, name, latest, lambda: project_shown(row, bindings), row.registered_at)
    fold = ProjectFold()
    if not is_whole or not subjects.folded(projects, name, fold, events):
        return
    made = {
        "sequence": fold.sequence,
        "registeredAt": fold.registered_at,
        "deletedAt": fold.deleted_at,
        "locked": fold.locked,
        "atRisk": fold.at_risk,
    }
    subjects.compare(projects, name, made, lambda: _kept(row))
    subjects.compare(timelines, name, fold.timeline, lambda: [_interval(binding) for binding in bindings])


def _kept(row: Row[Any]) -> Json:
    return {
        "sequence": row.sequence,
        "registeredAt": written(row.registered_at),
        "deletedAt": written(row.deleted_at),
        "locked": row.locked,
        "atRisk": row.at_risk,
    }


def _interval(row: Row[Any]) -> Paid:
    return Paid(row.id, row.account, row.currency, format_instant(row.since), written(row.ends), row.ended)
