import os
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import asyncpg

from worker.embedded.kept import Program
from worker.embedded.ports import LOOPBACK
from worker.embedded.postgres_programs import EMBEDDED, Wheel, programs
from worker.embedded.server import Server, silent
from worker.embedded.unprivileged import someone_else

OWNER = "billing"
PASSWORD = "billing"  # noqa: S105  a server for one laptop, on loopback
SUPERUSER = "postgres"

FIRST_WORDS = f"""\
ALTER ROLE {SUPERUSER} PASSWORD '{PASSWORD}';
CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{PASSWORD}';
CREATE DATABASE {OWNER} OWNER {OWNER};
"""
HOST_BASED_AUTHENTICATION = "host all all 127.0.0.1/32 scram-sha-256\n"


class Postgres(Server):
    """PostgreSQL with one database, `billing`, owned by the role `billing`.

    `settings` go over those chosen here; `host_based_authentication` is what its file of that name says instead,
    `wheel` another build of it.
    """

    name = "PostgreSQL"

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
        host_based_authentication: str = HOST_BASED_AUTHENTICATION,
        wheel: Wheel = EMBEDDED,
        on_progress: Callable[[str], None] = silent,
    ) -> None:
        super().__init__(directory, port=port, on_progress=on_progress)
        self._settings = dict(settings or {})
        self._host_based_authentication = host_based_authentication
        self._wheel = wheel

    def url(self, database: str = OWNER, *, user: str = OWNER) -> str:
        """For SQLAlchemy, over asyncpg."""
        return f"postgresql+asyncpg://{user}:{PASSWORD}@{LOOPBACK}:{self.port}/{database}"

    async def create_database(self, name: str, *, template: str = "template1") -> str:
        """A database owned by `billing`, a copy of `template`, to which nobody may be connected; its URL."""
        await self._execute(f"CREATE DATABASE {_quoted(name)} TEMPLATE {_quoted(template)} OWNER {OWNER}")
        return self.url(name)

    async def drop_database(self, name: str) -> None:
        """Gone, whoever is still connected; nothing happens if there is none."""
        await self._execute(f"DROP DATABASE IF EXISTS {_quoted(name)} WITH (FORCE)")

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(
            host=LOOPBACK, port=self.port, user=SUPERUSER, password=PASSWORD, database=SUPERUSER
        )
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def stop_immediately(self, seconds: float = 10.0) -> None:
        """Cut all sessions and flush nothing: the next start recovers from the log. Nothing happens if it is not up."""
        if self._kept and self.running:
            os.kill(self.pid, signal.SIGQUIT)
            self._kept.wait(seconds)
        self.kill()

    def _prepare(self) -> None:
        if self.data.exists():
            return
        # made aside, then renamed: a directory is either whole or not there
        laid = self.data.with_suffix(".new")
        shutil.rmtree(laid, ignore_errors=True)
        laid.mkdir(mode=0o700)
        if user := someone_else(self.directory):
            os.chown(laid, user.uid, user.gid)
        initdb = [
            str(programs(self._wheel) / "initdb"),
            "-D",
            str(laid),
            "-U",
            SUPERUSER,
            "-E",
            "UTF8",
            "--locale=C",
            "--auth=trust",
        ]
        self._complete(self._run(initdb), "initdb")
        (laid / "pg_hba.conf").write_text(self._host_based_authentication)
        single = [str(programs(self._wheel) / "postgres"), "--single", "-j", "-D", str(laid), SUPERUSER]
        self._complete(self._run(single, said=FIRST_WORDS.replace("\n", "\n\n")), "creating the database")
        laid.rename(self.data)

    def _program(self) -> Program:
        chosen = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "256MB",
            "max_wal_size": "2GB",
            "timezone": "UTC",
            "log_timezone": "UTC",
        } | self._settings
        options = [part for key, value in chosen.items() for part in ("-c", f"{key}={value}")]
        return self._run([str(programs(self._wheel) / "postgres"), "-D", str(self.data), *options])

    def _run(self, command: list[str], *, said: str = "") -> Program:
        return Program(
            command,
            {"PATH": os.defpath, "LC_ALL": "C"},
            input=said,
            stop_signal=signal.SIGINT,  # "fast": sessions are ended, the data is flushed
            stop_seconds=15.0,
            user=someone_else(self.directory),
        )

    def _answers(self) -> bool:
        """The postmaster notes in its own file when it lets sessions in: line 1 its pid, line 8 its state."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"  # noqa: PLR2004


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
