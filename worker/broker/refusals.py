"""Why brokers do not let a client in. The library logs it, and raises only that no broker could be reached."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import client as library
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError, KafkaError, SaslAuthenticationFailed, UnsupportedSaslMechanismError

_connect = library.create_conn
_bootstrap = AIOKafkaClient.bootstrap

_NAME_MISMATCH: Final = {62, 64}
"""OpenSSL's numbers for a certificate of another host, and of another address."""


@dataclass(slots=True)
class _Begun:
    """What came of a client's first connections: those that were made, and why the others were not."""

    made: list[AIOKafkaConnection] = field(default_factory=list)
    refused: list[tuple[str, BaseException]] = field(default_factory=list)
    is_over: bool = False


_seen: ContextVar[_Begun | None] = ContextVar("_seen", default=None)


class NotLetInError(KafkaConnectionError):  # type: ignore[misc]  # untyped
    """A broker is there and does not let this client in; the message says why and what to do."""


def say_why() -> None:
    """Let every client of this process tell why it was not let in: two of the library's functions are replaced."""
    library.create_conn = _watched
    AIOKafkaClient.bootstrap = _telling


async def _watched(host: str, port: int, **parameters: Any) -> AIOKafkaConnection:
    begun = _seen.get()
    if begun is not None and begun.is_over:  # the client's own tasks inherit it, and try again for as long as they live
        begun = None
    try:
        connection = await _connect(host, port, **parameters)
    except (OSError, KafkaError, TimeoutError) as error:
        if begun is not None:
            begun.refused.append((f"{host}:{port}", error))
        raise
    if begun is not None:
        begun.made.append(connection)
    return connection


async def _telling(self: AIOKafkaClient) -> None:
    with _noting() as seen:
        try:
            await _bootstrap(self)
        except asyncio.CancelledError:
            for connection in seen.made:
                connection.close()  # the library closes it only when the broker fails
            raise
        except KafkaConnectionError:
            if not seen.refused:
                at = ",".join(f"{host}:{port}" for host, port, _ in self.hosts)
                raise NotLetInError(f"{at} {_no_answer(self._security_protocol)}") from None
            for at, error in seen.refused:
                if (why := reason(error, self._security_protocol)) is not None:
                    raise NotLetInError(f"{at} {why}") from None
            raise


@contextmanager
def _noting() -> Iterator["_Begun"]:
    seen = _Begun()
    token = _seen.set(seen)
    try:
        yield seen
    finally:
        seen.is_over = True
        _seen.reset(token)


def reason(error: BaseException, protocol: str) -> str | None:
    """What a broker has against a client that speaks a protocol; None if there is no broker, or it is silent."""
    match error:
        case ssl.SSLCertVerificationError(verify_code=code) if code in _NAME_MISMATCH:
            return "shows the certificate of another name: BILLING_KAFKA__BOOTSTRAP_SERVERS has to name it so"
        case ssl.SSLCertVerificationError(verify_message=message):
            return (
                f"shows a certificate that is not to be trusted ({message}): BILLING_KAFKA__CA_FILE says whom to trust"
            )
        case SaslAuthenticationFailed():
            return "does not accept BILLING_KAFKA__USERNAME with its password"
        case UnsupportedSaslMechanismError():
            return "does not take BILLING_KAFKA__SASL_MECHANISM as it is set"
        case ssl.SSLError() | ConnectionResetError() | ConnectionAbortedError() if "SSL" in protocol:
            return "ends the handshake: does it speak TLS, as BILLING_KAFKA__SECURITY_PROTOCOL says?"
        case KafkaConnectionError() | asyncio.IncompleteReadError():
            return _hung_up(protocol)
        case KafkaError():
            return f"refuses: {type(error).__name__}; is BILLING_KAFKA__SECURITY_PROTOCOL right?"
        case _:
            return None


def _hung_up(protocol: str) -> str:
    if "SSL" in protocol:
        return (
            "hangs up: is it just starting, or does it want a certificate of its clients "
            "(BILLING_KAFKA__CERTIFICATE_FILE), or another BILLING_KAFKA__SECURITY_PROTOCOL?"
        )
    return "hangs up: is it just starting, or does it want TLS? BILLING_KAFKA__SECURITY_PROTOCOL=ssl or sasl_ssl has it"


def _no_answer(protocol: str) -> str:
    if protocol.startswith("SASL"):
        return "lets nobody ask: is BILLING_KAFKA__SECURITY_PROTOCOL right?"
    return (
        "lets nobody ask: does it want a user name and a password? BILLING_KAFKA__SECURITY_PROTOCOL=sasl_ssl gives them"
    )
