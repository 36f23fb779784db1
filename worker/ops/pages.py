"""A few pages over HTTP/1.1, for probes and scrapers: GET and HEAD, one answer a connection.

By hand, since it is so little: aiohttp, client and all, took 8 MB of every worker.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Final

import structlog

log = structlog.get_logger(__name__)

REQUEST_BYTES_MAX: Final = 16 * 1024
CONNECTION_SECONDS_MAX: Final = 10.0
CONNECTIONS_MAX: Final = 100
"""Whoever comes beyond is hung up on: those that are slow go when their time is over."""

_END_OF_HEAD: Final = b"\r\n\r\n"
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
        self._server = await asyncio.start_server(self._serve, host, port, limit=REQUEST_BYTES_MAX)
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
        try:
            head = await reader.readuntil(_END_OF_HEAD)
        except asyncio.LimitOverrunError:
            return _written(_refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
        match head.partition(b"\r\n")[0].decode("latin-1").split(" "):
            case [method, target, version] if version.startswith("HTTP/1."):
                return _written(self._page(method, target.partition("?")[0]), with_body=method != "HEAD")
        return _written(_refusal(HTTPStatus.BAD_REQUEST))

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


def _written(page: Page, *, with_body: bool = True) -> bytes:
    lines = [
        f"HTTP/1.1 {page.status.value} {page.status.phrase}",
        f"date: {formatdate(usegmt=True)}",
        f"content-type: {page.content_type}",
        f"content-length: {len(page.body)}",
        "connection: close",
    ]
    if page.status is HTTPStatus.METHOD_NOT_ALLOWED:
        lines.append(f"allow: {', '.join(_METHODS)}")
    return "\r\n".join(lines).encode() + _END_OF_HEAD + (page.body if with_body else b"")
