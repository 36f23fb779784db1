"""Projects, their bindings, and the counts of who pays for them."""
# ruff: noqa: S608  the parts that SQL is put together from are constants of this package

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.book import Book, Key
from worker.domain.due import project_due_at
from worker.domain.projects import CLOSED_INTERVALS_MAX, Project
from worker.domain.values import Binding, Interval
from worker.store import inbox
from worker.store.bindings import CLOSED, ENDS, OPENED, Rows
from worker.store.columns import by_column, found, unnest
from worker.store.errors import StateDiverged
from worker.store.inbox import InboxRow

_ENDS: Final = {ended: end for end, ended in ENDS.items()}
_KEY: Final = {"organization": "text", "project": "text"}
_VALUES: Final = {
    "sequence": "bigint",
    "locked": "boolean",
    "at_risk": "boolean",
    "deleted_at": "timestamptz",
    "tombstoned": "boolean",
    "due_at": "timestamptz",
}
_CHANGED: Final = _KEY | _VALUES
_REGISTERED: Final = _CHANGED | {"registered_at": "timestamptz", "lane": "integer"}
_PAID: Final = {
    "organization": "text",
    "account": "text",
    "active_bindings": "bigint",
    "last_binding_until": "timestamptz",
}
INTERVAL: Final = ("b.binding::text", "b.account", "b.currency", "b.since", "nullif(b.until, 'infinity')", "b.ended")
_LOADED: Final = (
    "organization",
    "project",
    "sequence",
    "registered_at",
    "locked",
    "at_risk",
    "deleted_at",
    "tombstoned",
)
# One more than a project carries tells since when what it carries is complete; one more is open.
_INTERVALS_MAX: Final = CLOSED_INTERVALS_MAX + 2

# A row for each interval would cost more than twice as much to read as these arrays, latest first.
_LOAD = text(
    f"""
    SELECT {", ".join(f"p.{name}" for name in _LOADED)}, intervals.*
    FROM {unnest(_KEY)} AS asked (organization, project)
    CROSS JOIN LATERAL (
        SELECT * FROM projects
        WHERE projects.organization = asked.organization AND projects.project = asked.project OFFSET 0
    ) AS p
    CROSS JOIN LATERAL (
        SELECT {", ".join(f"array_agg({column})" for column in INTERVAL)} FROM (
            SELECT * FROM bindings AS of_project
            WHERE of_project.organization = p.organization AND of_project.project = p.project
            ORDER BY since DESC LIMIT {_INTERVALS_MAX}
        ) AS b
    ) AS intervals
    """
)
_COUNT = text(
    f"""
    SELECT count(*) FROM (
        SELECT FROM {unnest(_KEY)} AS asked (organization, project)
        CROSS JOIN LATERAL (
            SELECT FROM bindings AS b
            WHERE b.organization = asked.organization AND b.project = asked.project AND b.ended <> 'open'
            LIMIT {CLOSED_INTERVALS_MAX}
        ) AS carried
        LIMIT :most
    ) AS counted
    """
)
# All that binding changes, and the ids that are used up, in one round trip. Rows are added only when all are closed
# that the batch closes: that is what the sum in the last line waits for.
_SAVE = text(
    f"""
    WITH registered AS (
        INSERT INTO projects ({", ".join(_REGISTERED)}) SELECT * FROM {unnest(_REGISTERED, prefix="registered_")}
        RETURNING 1
    ), changed AS (
        UPDATE projects AS p SET {", ".join(f"{name} = new.{name}" for name in _VALUES)}
        FROM {found("projects", _CHANGED, ["organization", "project"], prefix="changed_")} AS new
        WHERE p.ctid = new.place
        RETURNING 1
    ), paid AS (
        UPDATE accounts AS a SET active_bindings = new.active_bindings, last_binding_until = new.last_binding_until
        FROM {found("accounts", _PAID, ["organization", "account"], prefix="paid_")} AS new
        WHERE a.ctid = new.place
        RETURNING 1
    ), closed AS (
        UPDATE bindings AS b SET until = new.until, ended = new.ended
        FROM {found("bindings", CLOSED, ["organization", "project", "since"], prefix="closed_")} AS new
        WHERE b.ctid = new.place AND b.ended = 'open'
        RETURNING 1
    ), opened AS (
        INSERT INTO bindings ({", ".join(OPENED)})
        SELECT organization, project, since, coalesce(new.until, 'infinity'), ended,
            prev.until, CASE WHEN prev.until IS NOT NULL THEN prev_ended END, binding, account, currency
        FROM {unnest(OPENED, prefix="opened_")} AS new ({", ".join(OPENED)})
        CROSS JOIN LATERAL (
            SELECT coalesce(new.prev_until, CASE WHEN new.prev_ended = 'released' THEN (
                SELECT last.until FROM (
                    SELECT old.until, old.ended FROM bindings AS old
                    WHERE old.organization = new.organization AND old.project = new.project AND old.since < new.since
                    ORDER BY old.since DESC OFFSET 0
                ) AS last WHERE last.ended = 'released' LIMIT 1
            ) END) AS until
        ) AS prev
        WHERE (SELECT count(*) FROM closed) >= 0
        RETURNING 1
    ), used AS ({inbox.USE})
    SELECT (SELECT count(*) FROM changed), (SELECT count(*) FROM paid), (SELECT count(*) FROM closed),
        (SELECT count(*) FROM registered), (SELECT count(*) FROM opened)
    """
)


async def load(connection: AsyncConnection, book: Book, keys: Collection[Key]) -> None:
    """Put these projects into the book, with who pays now and the last that paid before."""
    book.projects.update(dict.fromkeys(keys))
    book.projects.update(await _read(connection, keys))


async def carry_more_than(connection: AsyncConnection, keys: Collection[Key], intervals: int) -> bool:
    """Whether the timelines of these projects have more closed intervals together. Counts no further than that."""
    parameters = by_column(_KEY, list(keys)) | {"most": intervals + 1}
    return bool((await connection.execute(_COUNT, parameters)).scalar_one() > intervals)


async def read(connection: AsyncConnection, key: Key) -> Project | None:
    """One project as it stands, None if nobody knows it."""
    return (await _read(connection, [key])).get(key)


async def _read(connection: AsyncConnection, keys: Collection[Key]) -> dict[Key, Project]:
    if not keys:
        return {}
    rows = await connection.execute(_LOAD, by_column(_KEY, list(keys)))
    return {(row[0], row[1]): _project(row) for row in rows}


async def save(  # noqa: PLR0913  one statement writes all of it
    connection: AsyncConnection,
    book: Book,
    rows: Rows,
    *,
    registered: Collection[Key],
    changed: Collection[Key],
    paid: Collection[Key],
    lane: int,
    used: Sequence[InboxRow] = (),
) -> None:
    """Write projects new and changed, the history of their bindings, how many projects the accounts `paid` for, ids."""
    usage = {key: book.usage_of(key) for key in paid}
    new_values = [(*_values(book, key), _project_of(book, key).registered_at, lane) for key in registered]
    parameters = {
        **by_column(_REGISTERED, new_values, prefix="registered_"),
        **by_column(_CHANGED, [_values(book, key) for key in changed], prefix="changed_"),
        **by_column(_PAID, [(*key, u.active_bindings, u.last_until) for key, u in usage.items()], prefix="paid_"),
        **by_column(CLOSED, rows.closed, prefix="closed_"),
        **by_column(OPENED, rows.opened, prefix="opened_"),
        **inbox.used(used),
    }
    written = tuple((await connection.execute(_SAVE, parameters)).one())
    asked = (len(changed), len(paid), len(rows.closed), len(registered), len(rows.opened))
    if written != asked:
        raise StateDiverged(f"of projects, accounts, closed, registered and opened {asked} only {written} were written")


def intervals_of(columns: Iterable[Sequence[Any]]) -> tuple[Interval, ...]:
    """Closed intervals from INTERVAL columns, in the same order."""
    *values, ended = columns
    return tuple(map(Interval, *values, map(_ENDS.__getitem__, ended)))


def _values(book: Book, key: Key) -> tuple[object, ...]:
    project = _project_of(book, key)
    return (
        *key,
        project.sequence,
        project.locked,
        project.at_risk,
        project.deleted_at,
        project.tombstoned,
        project_due_at(project, book.rules),
    )


def _project_of(book: Book, key: Key) -> Project:
    project = book.projects[key]
    assert project is not None  # noqa: S101  something happened to it
    return project


def _project(row: Sequence[Any]) -> Project:
    organization, project, sequence, registered_at, locked, at_risk, deleted_at, tombstoned, *columns = row
    latest_first: list[Sequence[Any]] = [column or () for column in columns]
    bindings, accounts, currencies, since, _, ended = latest_first
    is_open = "open" in ended[:1]
    closed = intervals_of(column[is_open:][::-1] for column in latest_first)
    is_cut = len(closed) > CLOSED_INTERVALS_MAX
    return Project(
        organization=organization,
        id=project,
        sequence=sequence,
        registered_at=registered_at,
        closed_since=closed[-CLOSED_INTERVALS_MAX - 1].until if is_cut else registered_at,
        open=Binding(bindings[0], accounts[0], since[0], currencies[0]) if is_open else None,
        locked=locked,
        closed=closed[-CLOSED_INTERVALS_MAX:],
        deleted_at=deleted_at,
        at_risk=at_risk,
        tombstoned=tombstoned,
    )
