"""The database's revision, and whether this program goes with it. Nothing of Alembic, which a worker has no use for."""

import ast
from functools import cache
from pathlib import Path
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_PACKAGE: Final = Path(__file__).resolve().parent.parent
_IS_THERE: Final = text("SELECT to_regclass('alembic_version') IS NOT NULL")
_CURRENT: Final = text("SELECT version_num FROM alembic_version")
_SERVED: Final = text("SELECT coalesce(obj_description(to_regclass('alembic_version'), 'pg_class'), '')")


def migrations_directory() -> Path:
    """Beside the package in a checkout, inside it once installed."""
    installed = _PACKAGE / "migrations"
    return installed if installed.is_dir() else _PACKAGE.parent / "migrations"


@cache
def known_revisions() -> dict[str, str | None]:
    """Every revision that this program has a migration to, and the one before it.

    Raises LookupError where there are none.
    """
    versions = migrations_directory() / "versions"
    if known := dict(_links_of(path) for path in sorted(versions.glob("*.py"))):
        return known
    raise LookupError(f"no migrations in {versions}")


def head_revision() -> str:
    """The revision that this program needs: the one before no other."""
    known = known_revisions()
    (head,) = known.keys() - known.values()
    return head


async def current_revision(connection: AsyncConnection) -> str | None:
    """The revision that the database has; None before the first `migrate`."""
    if not (await connection.execute(_IS_THERE)).scalar_one():
        return None
    return (await connection.execute(_CURRENT)).scalar_one_or_none()


async def goes_with(connection: AsyncConnection) -> bool:
    """Whether this program can work with the database: at its own revision, or at one that only added to it.

    Which revisions before its own a database still serves, `migrate` writes down beside it (`migrations/env.py`).
    """
    head = head_revision()
    if await current_revision(connection) == head:
        return True
    return head in (await connection.execute(_SERVED)).scalar_one().split()


def advice_on(revision: str | None) -> str:
    """What to do about a database whose revision does not go with this program."""
    if revision is None or revision in known_revisions():
        return "run `billing-worker migrate`"
    return "a later release has migrated it, and no longer serves this one: run that release"


def _links_of(path: Path) -> tuple[str, str | None]:
    """What a file of migrations assigns to `revision` and `down_revision`; it is read, not run."""
    assigned = {
        target.id: ast.literal_eval(statement.value)
        for statement in ast.parse(path.read_bytes()).body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
    return assigned["revision"], assigned["down_revision"]
