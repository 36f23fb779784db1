"""The way to the database, with a limit on every wait."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from worker.settings.database import KEY_PASSWORD_FILE, PASSWORD_FILE, TLS_PARAMETERS, is_on_this_machine
from worker.settings.security import read_secret, secret_of, tls_context

PLANNING: Final = {
    # Every statement of a lane finds its rows by key. A plan made while a table was empty must not scan it for ever.
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
"""Session settings for statements that go by key; `roles.grant_runtime` sets them too, for poolers drop these."""


def limits(*, idle_in_transaction_seconds: float, statement_seconds: float) -> Mapping[str, str]:
    """What the server itself ends: a worker that was stopped keeps its locks until then, and its lanes with them.

    `roles.grant_runtime` gives a role the like, for poolers drop what a connection asks for.
    """
    in_ms = {
        "idle_in_transaction_session_timeout": idle_in_transaction_seconds,
        "statement_timeout": statement_seconds,
        # Long enough to wait for a stopped owner's transaction to be ended.
        "lock_timeout": min(statement_seconds, idle_in_transaction_seconds + 5),
    }
    return {name: str(int(seconds * 1000)) for name, seconds in in_ms.items()}


ANSWER_SECONDS_MAX: Final = 1.0
"""How much later than the server this side gives a statement up: the server says what it was that took so long."""

_KEEPALIVE: Final = {
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}


def create_engine(  # noqa: PLR0913  the limits
    url: str,
    *,
    application_name: str = "billing-worker",
    connections_max: int = 8,
    connect_seconds_max: float = 5.0,
    command_seconds_max: float = 30.0,
    lock_seconds_max: float = 10.0,
    idle_in_transaction_seconds_max: float = 30.0,
    by_key: bool = True,
    search_path: str | None = None,
    server_limits: Mapping[str, str] | None = None,
) -> AsyncEngine:
    """An engine for `postgresql+asyncpg://` URLs; connects when first used.

    What the URL says of TLS and of a file with the password holds for each connection, as the files are then. Whatever
    is not on this machine is verified unless the URL says otherwise.

    `search_path` is a schema other than the role's own, as it is written in SQL. `by_key` is for statements that find
    their rows by key; turn it off for reports over whole tables. `server_limits` are the server's own time limits
    (`limits`).
    """
    settings = {
        "application_name": application_name,
        "timezone": "UTC",
        # the server's own limits: a process that was stopped keeps its locks until the server ends its session
        "statement_timeout": _milliseconds(command_seconds_max),
        "lock_timeout": _milliseconds(lock_seconds_max),
        "idle_in_transaction_session_timeout": _milliseconds(idle_in_transaction_seconds_max),
        **_KEEPALIVE,
        **(PLANNING if by_key else {"jit": "off"}),
    }
    if search_path is not None:
        settings["search_path"] = search_path
    settings |= server_limits or {}
    given = make_url(url)
    engine = create_async_engine(
        given.difference_update_query(TLS_PARAMETERS),
        pool_size=connections_max,
        max_overflow=0,
        pool_timeout=connect_seconds_max,
        # To ask whether a connection lives costs three round trips a batch; one that does not is a fault like others.
        pool_pre_ping=False,
        hide_parameters=True,  # errors are logged, and parameters are what people wrote
        connect_args={
            "timeout": connect_seconds_max,
            "command_timeout": command_seconds_max + ANSWER_SECONDS_MAX,
            "server_settings": settings,
        },
    )
    _secure(engine, given)
    return engine


def _secure(engine: AsyncEngine, given: URL) -> None:
    said = {name: str(given.query[name]) for name in TLS_PARAMETERS if name in given.query}
    mode = said.get("sslmode") or (None if is_on_this_machine(given) else "verify-full")
    password_file = _path(said.get(PASSWORD_FILE))
    if mode is None and password_file is None:
        return

    def before_each_connection(_dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> None:
        if mode is not None:
            parameters["ssl"] = _context(said) if mode == "verify-full" else False
        if password_file is not None:
            parameters["password"] = read_secret(password_file)

    event.listen(engine.sync_engine, "do_connect", before_each_connection)


def _context(said: Mapping[str, str]) -> ssl.SSLContext:
    key_password = secret_of(None, _path(said.get(KEY_PASSWORD_FILE)))
    authorities, certificate, key = (_path(said.get(name)) for name in ("sslrootcert", "sslcert", "sslkey"))
    return tls_context(authorities, certificate, key, key_password)


def _path(name: str | None) -> Path | None:
    return None if name is None else Path(name)


def _milliseconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
