"""What the database objects to."""

import asyncpg
from sqlalchemy.exc import DBAPIError, IntegrityError


class StateDiverged(Exception):  # noqa: N818  it is the state that did
    """The database does not hold what the book was loaded from: a defect, or a writer past the fence."""


def translated(error: Exception, statement: str, *, is_closed: bool) -> DBAPIError:
    """The driver's exception as SQLAlchemy would have raised it; rows are left out, for they would be logged."""
    kind = IntegrityError if isinstance(error, asyncpg.IntegrityConstraintViolationError) else DBAPIError
    return kind(statement, None, error, connection_invalidated=is_closed)


def violated_rule(error: BaseException) -> str | None:
    """The name of the constraint that was hit; empty if it has none; None if it is not about a constraint."""
    if not isinstance(error, DBAPIError) or error.orig is None:
        return None
    for cause in (error.orig, error.orig.__cause__):
        if isinstance(cause, asyncpg.IntegrityConstraintViolationError):
            return cause.constraint_name or ""
    return None
