"""A few pages over HTTP/1.1, for probes and scrapers: GET and HEAD, one answer a connection.

A web framework for three pages took 8 MB of every worker; h11 alone speaks the protocol.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Final

import h11
import structlog

log = structlog.get_logger(__name__)

REQUEST_BYTES_MAX: Final = 16 * 1024
CONNECTION_SECONDS_MAX: Final = 10.0
CONNECTIONS_MAX: Final = 100
"""Whoever comes beyond is hung up on: those that are slow go when their time is over."""

_METHODS: Final = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Page:
    """An answer."""

    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK


class Pages:
    """Serves pages by their path."""

    def __init__(self, pages: Mapping[str, Callable[[], Page]]) -> None:
        self._pages = pages
        self._open: dict[asyncio.Task[Any], asyncio.StreamWriter] = {}
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen. Returns the address, with the port that was free if 0 was asked for. Raises OSError."""
        self._server = await asyncio.start_server(self._serve, host, port)
        address: tuple[str, int] = self._server.sockets[0].getsockname()[:2]
        return address

    async def stop(self) -> None:
        """Listen no more, and hang up."""
        if self._server is not None:
            self._server.close()
        for writer in self._open.values():
            writer.transport.abort()  # not cancelled: Python 3.11 would report that as an error
        if self._open:
            await asyncio.wait(self._open)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  a server calls from one
        if len(self._open) >= CONNECTIONS_MAX:
            writer.transport.abort()
            return
        self._open[task] = writer
        try:
            async with asyncio.timeout(CONNECTION_SECONDS_MAX):
                writer.write(await self._answer(reader))
                writer.close()
                await writer.wait_closed()
        except (OSError, EOFError, TimeoutError):
            pass  # whoever asked has gone, or takes too long
        finally:
            writer.transport.abort()
            del self._open[task]

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=REQUEST_BYTES_MAX)
        try:
            while (event := http.next_event()) is h11.NEED_DATA:
                http.receive_data(await reader.read(REQUEST_BYTES_MAX))
        except h11.RemoteProtocolError as error:
            return _written(http, _refusal(HTTPStatus(error.error_status_hint)))
        if not isinstance(event, h11.Request):
            raise EOFError("hung up before asking anything")  # noqa: TRY004  it is the peer that ended
        method, target = event.method.decode(), event.target.decode()
        return _written(http, self._page(method, target.partition("?")[0]), with_body=method != "HEAD")

    def _page(self, method: str, path: str) -> Page:
        if (page := self._pages.get(path)) is None:
            return _refusal(HTTPStatus.NOT_FOUND)
        if method not in _METHODS:
            return _refusal(HTTPStatus.METHOD_NOT_ALLOWED)
        try:
            return page()
        except Exception:
            log.exception("page_failed", path=path)
            return _refusal(HTTPStatus.INTERNAL_SERVER_ERROR)


def _refusal(status: HTTPStatus) -> Page:
    return Page(f"{status.value} {status.phrase}\n".encode(), status=status)


def _written(http: h11.Connection, page: Page, *, with_body: bool = True) -> bytes:
    headers = [
        ("date", formatdate(usegmt=True)),
        ("content-type", page.content_type),
        ("content-length", str(len(page.body))),
        ("connection", "close"),
    ]
    if page.status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append(("allow", ", ".join(_METHODS)))
    events: list[h11.Event] = [
        h11.Response(status_code=page.status.value, headers=headers, reason=page.status.phrase.encode()),
        *([h11.Data(page.body)] if with_body else []),
        h11.EndOfMessage(),
    ]
    return b"".join(http.send(event) or b"" for event in events)
