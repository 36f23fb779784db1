"""Where the state is, and how it is reached."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, field_validator, model_validator
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from worker.settings import security
from worker.settings.section import PREFIX, Section

_OURS = f"{PREFIX}DATABASE__"

PASSWORD_FILE: Final = "passwordfile"  # noqa: S105 - the name of a parameter
KEY_PASSWORD_FILE: Final = "sslpasswordfile"  # noqa: S105
TLS_PARAMETERS: Final = ("sslmode", "sslrootcert", "sslcert", "sslkey", KEY_PASSWORD_FILE, PASSWORD_FILE)
"""What is said of a connection's security is said in its URL, as libpq names it: so it goes wherever the URL goes."""

_NOT_IN_THE_URL = (*TLS_PARAMETERS, "ssl", "sslpassword", "direct_tls")


class Database(Section):
    """Where the state is. `owner_url` is for `migrate`: a role that may change the schema; `url` may not.

    What the other settings say of TLS and of files with passwords is added to both URLs, for `create_engine` to read.
    """

    url: str = Field(
        "postgresql+asyncpg://billing@localhost:5432/billing",
        repr=False,
        description="as the role that runs the worker",
    )
    owner_url: str | None = Field(
        None,
        repr=False,
        description="as a role that may change the schema: for `migrate` and some commands of recovery",
    )
    password_file: Path | None = Field(None, description="of `url`, which has none then")
    owner_password_file: Path | None = Field(None, description="of `owner_url`")
    tls: Literal["verify-full", "disable"] | None = Field(
        None, description="verify-full by default for everything but loopback"
    )
    ca_file: Path | None = Field(None, description="certificates in PEM; without it those of the system count")
    certificate_file: Path | None = Field(None, description="of the client, PEM")
    key_file: Path | None = Field(None, description="of the client's certificate, PEM")
    key_password_file: Path | None = Field(None, description="of an encrypted key")
    pool_size: int = Field(16, ge=2, le=200, description="connections of one worker at the most")
    command_timeout_seconds: float = Field(30, ge=1, le=600, description="longest that one statement may take")
    idle_in_transaction_seconds_max: float = Field(
        10, ge=1, le=600, description="after which the server ends the transaction of a worker that was stopped in it"
    )

    @field_validator("url", "owner_url")
    @classmethod
    def _speaks_asyncpg(cls, url: str | None) -> str | None:
        if url is None:
            return None
        if not url.startswith("postgresql+asyncpg://"):
            raise ValueError("must start with postgresql+asyncpg://")
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError):
            raise ValueError("is no URL: what is special in a user's name or password is percent-encoded") from None
        if found := [name for name in _NOT_IN_THE_URL if name in parsed.query]:
            raise ValueError(
                f"{', '.join(found)} is not said in the URL: {_OURS}TLS, {_OURS}CA_FILE and their neighbours say it"
            )
        return url

    @property
    def _mode(self) -> str | None:
        return self.tls or ("verify-full" if self.ca_file or self.certificate_file else None)

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        security.refuse(self._unfit())
        object.__setattr__(self, "url", self._with_security(self.url, self.password_file))
        if self.owner_url is not None:
            object.__setattr__(self, "owner_url", self._with_security(self.owner_url, self.owner_password_file))
        return self

    def _unfit(self) -> Iterator[str]:
        files = {
            "CA_FILE": self.ca_file,
            "CERTIFICATE_FILE": self.certificate_file,
            "KEY_FILE": self.key_file,
            "KEY_PASSWORD_FILE": self.key_password_file,
        }
        if self.tls == "disable":
            for name in (name for name, value in files.items() if value is not None):
                yield f"{_OURS}{name}: is not used with {_OURS}TLS=disable"
        urls = (("", self.url, self.password_file), ("OWNER_", self.owner_url, self.owner_password_file))
        for name, url, file in urls:
            if file is not None and url is None:
                yield f"{_OURS}{name}PASSWORD_FILE: is of no use without {_OURS}{name}URL"
            if file is not None and url is not None and make_url(url).password is not None:
                yield f"{_OURS}{name}PASSWORD_FILE: {_OURS}{name}URL has a password already; take one of them away"
            if self._mode == "verify-full" and url is not None and any(host.startswith("/") for host in hosts_of(url)):
                yield f"{_OURS}TLS: {_OURS}{name}URL names a Unix socket, which speaks no TLS"
        yield from security.unfit_pair(_OURS, self.certificate_file, self.key_file)
        if self.key_password_file is not None and self.key_file is None:
            yield f"{_OURS}KEY_FILE: is missing, and there is a password for it"
        secrets = {"PASSWORD_FILE": self.password_file, "OWNER_PASSWORD_FILE": self.owner_password_file}
        secrets["KEY_PASSWORD_FILE"] = self.key_password_file
        unread = [*security.unfit_files(_OURS, files | secrets), *security.unfit_secrets(_OURS, secrets)]
        yield from unread
        if not unread and (self.key_file is None) == (self.certificate_file is None):
            key_password = security.secret_of(None, self.key_password_file)
            yield from security.unfit_certificates(
                _OURS, self.ca_file, self.certificate_file, self.key_file, key_password
            )

    def _with_security(self, url: str, password_file: Path | None) -> str:
        said = {
            "sslmode": self._mode,
            "sslrootcert": self.ca_file,
            "sslcert": self.certificate_file,
            "sslkey": self.key_file,
            KEY_PASSWORD_FILE: self.key_password_file,
            PASSWORD_FILE: password_file,
        }
        parameters = {name: str(value) for name, value in said.items() if value is not None}
        if not parameters:
            return url
        parsed = make_url(url).update_query_dict(parameters)
        if password_file is not None:
            # also in its own place, for whoever needs the password itself: `migrate` gives it to the worker's role
            parsed = parsed.set(password=security.read_secret(password_file))
        return parsed.render_as_string(hide_password=False)

    def insecure(self) -> str | None:
        """Why nobody should reach the database like this, if so."""
        if self.tls != "disable":
            return None  # without a word, whatever is not loopback is verified
        for name, url in (("URL", self.url), ("OWNER_URL", self.owner_url)):
            if url is not None and not is_on_this_machine(url):
                return (
                    f"{_OURS}TLS: {_OURS}{name} names another machine, and without TLS everybody on the way can read "
                    "and change what is sent: set verify-full"
                )
        return None


def is_on_this_machine(url: str | URL) -> bool:
    """Whether the driver connects to nothing but loopback and Unix sockets."""
    return all(security.is_loopback(host) for host in hosts_of(url))


def hosts_of(url: str | URL) -> list[str]:
    """Where the driver connects to for a URL, in the order in which it tries; empty for the sockets of this machine."""
    parsed = make_url(url)
    named = parsed.query.get("host", ())
    hosts = [named] if isinstance(named, str) else list(named)
    if not hosts and parsed.host:
        hosts = [parsed.host]
    if not hosts:
        hosts = [host for host in os.environ.get("PGHOST", "").split(",") if host]
    if not hosts and (service := parsed.query.get("service") or os.environ.get("PGSERVICE")):
        hosts = [f"the service {service}"]  # who knows where
    return [_without_port(host) for each in hosts for host in each.split(",")]


def _without_port(host: str) -> str:
    if host.startswith(("/", "@")):
        return host
    if host.startswith("["):
        return host.partition("]")[0].removeprefix("[")
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() and ":" not in name else host
