"""Where the topics are, and how they are reached."""

import ssl
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from worker.settings import security
from worker.settings.section import PREFIX, Section

_OURS = f"{PREFIX}KAFKA__"


class SecurityProtocol(StrEnum):
    """As Kafka's own clients name them, in small letters."""

    PLAINTEXT = "plaintext"
    SSL = "ssl"
    SASL_SSL = "sasl_ssl"
    SASL_PLAINTEXT = "sasl_plaintext"


class Kafka(Section):
    """Where the topics are, and how they are reached."""

    bootstrap_servers: str = Field(
        "localhost:9092", min_length=1, max_length=4_096, description="brokers to begin with, with commas: host:port"
    )
    security_protocol: SecurityProtocol = Field(
        SecurityProtocol.PLAINTEXT, description="how brokers are spoken with; plaintext stays on one machine"
    )
    sasl_mechanism: Literal["SCRAM-SHA-512", "PLAIN"] = Field("SCRAM-SHA-512", description="how a password is shown")
    username: str | None = Field(None, min_length=1, max_length=255, description="with SASL")
    password: SecretStr | None = Field(None, min_length=1, description="with SASL; better in a file")
    password_file: Path | None = Field(None, description="a file that holds the password")
    ca_file: Path | None = Field(None, description="certificates in PEM; without it those of the system count")
    certificate_file: Path | None = Field(None, description="of the client, PEM")
    key_file: Path | None = Field(None, description="of the client's certificate, PEM")
    key_password: SecretStr | None = Field(None, min_length=1, description="of an encrypted key; better in a file")
    key_password_file: Path | None = Field(None, description="a file that holds the key's password")
    group_id: str = Field("billing-worker", min_length=1, max_length=249, description="the group of all workers")
    client_id: str = Field("billing-worker", min_length=1, max_length=249, description="what brokers call it in logs")
    session_timeout_ms: int = Field(
        10_000, ge=1_000, le=300_000, description="after which a worker without a heartbeat loses its lanes"
    )
    request_timeout_ms: int = Field(15_000, ge=1_000, le=300_000, description="after which a request counts as lost")
    transaction_timeout_ms: int = Field(
        30_000, ge=5_000, le=900_000, description="after which the broker ends a transaction that was left open"
    )
    replication_factor: int = Field(1, ge=1, le=15, description="of topics made by `topics apply`")

    @field_validator("security_protocol", mode="before")
    @classmethod
    def _in_small_letters(cls, protocol: Any) -> Any:
        return protocol.lower() if isinstance(protocol, str) else protocol

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is spoken."""
        return self.security_protocol in {SecurityProtocol.SSL, SecurityProtocol.SASL_SSL}

    @property
    def is_authenticated(self) -> bool:
        """Whether a user name and a password are sent."""
        return self.security_protocol in {SecurityProtocol.SASL_SSL, SecurityProtocol.SASL_PLAINTEXT}

    def tls_context(self) -> ssl.SSLContext | None:
        """With the certificates as the files hold them now; None where no TLS is spoken."""
        if not self.is_encrypted:
            return None
        key_password = security.secret_of(self.key_password, self.key_password_file)
        return security.tls_context(self.ca_file, self.certificate_file, self.key_file, key_password)

    def sasl_password(self) -> str:
        """As its file holds it now, if it has one."""
        password = security.secret_of(self.password, self.password_file)
        assert password is not None  # noqa: S101 - settings without one were refused
        return password

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        security.refuse(self._unfit())
        return self

    def _unfit(self) -> Iterator[str]:
        protocol = self.security_protocol.value
        if self.is_authenticated:
            if self.username is None:
                yield f"{_OURS}USERNAME: {protocol} needs one"
            if self.password is None and self.password_file is None:
                yield f"{_OURS}PASSWORD_FILE: {protocol} needs a password, in this file or in {_OURS}PASSWORD"
        else:
            given = {"USERNAME": self.username, "PASSWORD": self.password, "PASSWORD_FILE": self.password_file}
            for name in (name for name, value in given.items() if value is not None):
                yield f"{_OURS}{name}: is not used with {protocol}; {_OURS}SECURITY_PROTOCOL=sasl_ssl uses it"
        files = {
            "CA_FILE": self.ca_file,
            "CERTIFICATE_FILE": self.certificate_file,
            "KEY_FILE": self.key_file,
            "KEY_PASSWORD_FILE": self.key_password_file,
        }
        if not self.is_encrypted:
            for name in (name for name, value in (files | {"KEY_PASSWORD": self.key_password}).items() if value):
                yield f"{_OURS}{name}: is not used with {protocol}; {_OURS}SECURITY_PROTOCOL=ssl or sasl_ssl uses it"
        for name, one, other in (
            ("PASSWORD", self.password, self.password_file),
            ("KEY_PASSWORD", self.key_password, self.key_password_file),
        ):
            if one is not None and other is not None:
                yield f"{_OURS}{name}: set it or {_OURS}{name}_FILE, not both"
        yield from security.unfit_pair(_OURS, self.certificate_file, self.key_file)
        if (self.key_password or self.key_password_file) and self.key_file is None:
            yield f"{_OURS}KEY_FILE: is missing, and there is a password for it"
        secrets = {"PASSWORD_FILE": self.password_file, "KEY_PASSWORD_FILE": self.key_password_file}
        unread = [*security.unfit_files(_OURS, files | secrets), *security.unfit_secrets(_OURS, secrets)]
        yield from unread
        if self.is_encrypted and not unread and (self.key_file is None) == (self.certificate_file is None):
            key_password = security.secret_of(self.key_password, self.key_password_file)
            yield from security.unfit_certificates(
                _OURS, self.ca_file, self.certificate_file, self.key_file, key_password
            )

    def insecure(self) -> str | None:
        """Why nobody should reach the brokers like this, if so."""
        if self.security_protocol is SecurityProtocol.SASL_PLAINTEXT:
            return (
                f"{_OURS}SECURITY_PROTOCOL: sasl_plaintext lets everybody on the way read and change what is sent: "
                "set sasl_ssl"
            )
        if self.security_protocol is SecurityProtocol.PLAINTEXT:
            for server in self.bootstrap_servers.split(","):
                host = server.strip().rpartition(":")[0] or server.strip()
                if not security.is_loopback(host):
                    return (
                        f"{_OURS}SECURITY_PROTOCOL: {_OURS}BOOTSTRAP_SERVERS names another machine, and plaintext lets "
                        "everybody on the way read and change what is sent: set ssl or sasl_ssl"
                    )
        return None
