"""The scratch schema, and what a run leaves in it so that the same one goes on when it was killed."""

import json
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.settings import Settings
from worker.store import schema

SCHEMA: Final = "replay_scratch"

_MARK: Final = f"{SCHEMA}.replaying"
_MAKE_MARK = text(f"CREATE TABLE {_MARK} (identity text NOT NULL, passed integer NOT NULL)")
_HAS_MARK = text(f"SELECT to_regclass('{_MARK}')")
_SET = text(f"INSERT INTO {_MARK} VALUES (:identity, 0)")  # noqa: S608  our own name
_READ = text(f"SELECT identity, passed FROM {_MARK}")  # noqa: S608
_PASS = text(f"UPDATE {_MARK} SET passed = :passed")  # noqa: S608


def identity_of(settings: Settings, asked: Mapping[str, Any], *, with_rules_of_now: bool) -> str:
    """What has to be the same for a run to go on with another one: what was asked, and whatever decides."""
    decides = {
        "release": version("billing-worker"),
        "rules": settings.rules.model_dump(mode="json") if with_rules_of_now else None,
        "limits": settings.lanes.model_dump(mode="json"),
    }
    return json.dumps({**asked, **decides}, sort_keys=True)


async def begun(owner: AsyncConnection, identity: str) -> int | None:
    """How many cut-overs a run of this identity had passed when it was killed; None if there is no such run."""
    if (await owner.execute(_HAS_MARK)).scalar_one() is None:
        return None
    row = (await owner.execute(_READ)).one_or_none()
    return row.passed if row is not None and row.identity == identity else None


async def make(owner: AsyncConnection, settings: Settings, on_progress: Callable[[str], None]) -> None:
    """The schema anew, empty."""
    await owner.execute(text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))
    await owner.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    await schema.upgrade(settings.database.owner_url or settings.database.url, on_progress, search_path=SCHEMA)


async def begin(connection: AsyncConnection, identity: str) -> None:
    """Mark the schema as that of a run, in the transaction that makes it ready."""
    await connection.execute(_MAKE_MARK)
    await connection.execute(_SET, {"identity": identity})


async def go_past(connection: AsyncConnection, cut_overs: int) -> None:
    """So many cut-overs are behind it, with the transaction that is open."""
    await connection.execute(_PASS, {"passed": cut_overs})


async def end(owner: AsyncConnection, *, is_kept: bool) -> None:
    """The run is finished: nobody goes on with what is kept."""
    await owner.execute(text(f"DROP TABLE {_MARK}" if is_kept else f"DROP SCHEMA {SCHEMA} CASCADE"))
