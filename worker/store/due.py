"""What a lane has to do by itself: what is due by an instant, and when the next thing is."""
# ruff: noqa: S608  the parts that SQL is put together from are constants of this package

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.book import Book, Key
from worker.domain.due import DUE_ACCOUNTS_MAX, NOTICES_MAX, TOMBSTONES_MAX
from worker.domain.values import Instant, NoticeKind
from worker.store import accounts, projects
from worker.store.columns import by_column, unnest

_OWED: Final = {"organization": "text", "account": "text", "after": "text", "at_risk": "boolean"}

# One more of each than may be done at once, and the first that is not due: so it is known when to look again.
_DUE = text(
    f"""
    (
        SELECT false, due_at, organization, account FROM accounts WHERE lane = :lane AND due_at <= :at
        ORDER BY due_at, organization, account LIMIT {DUE_ACCOUNTS_MAX + 1}
    )
    UNION ALL
    (
        SELECT true, due_at, organization, project FROM projects WHERE lane = :lane AND due_at <= :at
        ORDER BY due_at, organization, project LIMIT {TOMBSTONES_MAX + 1}
    )
    UNION ALL
    (
        SELECT false, due_at, organization, account FROM accounts WHERE lane = :lane AND due_at > :at
        ORDER BY due_at LIMIT 1
    )
    UNION ALL
    (
        SELECT true, due_at, organization, project FROM projects WHERE lane = :lane AND due_at > :at
        ORDER BY due_at LIMIT 1
    )
    """
)
# Ordinality keeps the accounts in order, so that PostgreSQL stops where there are enough projects.
_NOTICES = text(
    f"""
    SELECT owed.organization, owed.account, next.project
    FROM {unnest(_OWED)} WITH ORDINALITY AS owed ({", ".join(_OWED)}, place)
    CROSS JOIN LATERAL (
        SELECT b.project FROM bindings AS b
        CROSS JOIN LATERAL (
            SELECT FROM projects AS p
            WHERE p.organization = b.organization AND p.project = b.project AND p.at_risk = owed.at_risk OFFSET 0
        ) AS untold
        WHERE b.organization = owed.organization AND b.account = owed.account AND b.ended = 'open'
        AND b.project > owed.after
        ORDER BY b.project LIMIT {NOTICES_MAX}
    ) AS next
    ORDER BY owed.place, next.project LIMIT {NOTICES_MAX}
    """
)
_NEXT = text(
    """
    SELECT least(
        (SELECT due_at FROM accounts WHERE lane = :lane AND due_at IS NOT NULL ORDER BY due_at LIMIT 1),
        (SELECT due_at FROM projects WHERE lane = :lane AND due_at IS NOT NULL ORDER BY due_at LIMIT 1)
    )
    """
)


@dataclass(slots=True)
class Due:
    """What is due, first things first: accounts, the projects that they owe notices to, projects without record.

    An account that owes notices is missing in `notices` when those before it used up the NOTICES_MAX that are looked
    up at once; the last one in it may then owe more than is listed. Any other owes exactly what is listed, be it none.

    `next_at` is when the first account or project falls due that is not listed; None if none ever does.
    """

    accounts: list[Key] = field(default_factory=list)
    notices: dict[Key, list[str]] = field(default_factory=dict)
    tombstones: list[Key] = field(default_factory=list)
    next_at: Instant | None = None


async def load(connection: AsyncConnection, book: Book, lane: int, at: Instant) -> Due:
    """What is due by `at`, and all of it put into the book; what was in the book stays as it is there.

    One statement if nothing is due, up to four else. The database is asked: what the book has changed since it was
    loaded is not seen, but for how far an account's notices have come.
    """
    due = Due()
    later = []
    for is_project, due_at, organization, name in sorted(await connection.execute(_DUE, {"lane": lane, "at": at})):
        listed, most = (due.tombstones, TOMBSTONES_MAX) if is_project else (due.accounts, DUE_ACCOUNTS_MAX)
        if due_at > at or len(listed) == most:
            later.append(due_at)
        else:
            listed.append((organization, name))
    due.next_at = min(later, default=None)
    await accounts.load(connection, book, [key for key in due.accounts if key not in book.accounts])
    await _load_notices(connection, book, due)
    touched = [*due.tombstones, *((key[0], name) for key, names in due.notices.items() for name in names)]
    await projects.load(connection, book, [key for key in touched if key not in book.projects])
    return due


async def next_at(connection: AsyncConnection, lane: int) -> Instant | None:
    """When the lane has something to do next, None if it never has."""
    first: Instant | None = (await connection.execute(_NEXT, {"lane": lane})).scalar_one()
    return first


async def _load_notices(connection: AsyncConnection, book: Book, due: Due) -> None:
    owed = [
        (*key, account.notices.after, account.notices.kind is NoticeKind.RESTORED)
        for key in due.accounts
        if (account := book.accounts[key]) is not None and account.notices is not None
    ]
    if not owed:
        return
    listed = (await connection.execute(_NOTICES, by_column(_OWED, owed))).all()
    for organization, account_id, *_ in owed:
        due.notices[organization, account_id] = []
    for organization, account_id, project in listed:
        due.notices[organization, account_id].append(project)
    if len(listed) == NOTICES_MAX:
        last = (listed[-1].organization, listed[-1].account)
        while next(reversed(due.notices)) != last:
            due.notices.popitem()
