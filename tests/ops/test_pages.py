"""Pages over HTTP: what probes and scrapers ask is answered; whoever asks otherwise, or not at all, does no harm."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from http import HTTPStatus

import pytest

from tests.system.settling import until
from worker.ops import pages
from worker.ops.pages import Page, Pages

GET = b"GET /page HTTP/1.1\r\nhost: here\r\n\r\n"


def _broken() -> Page:
    raise ZeroDivisionError


@pytest.fixture
async def port() -> AsyncIterator[int]:
    served = Pages(
        {
            "/page": lambda: Page(b"said", "text/x"),
            "/unwell": lambda: Page(b"", status=HTTPStatus.SERVICE_UNAVAILABLE),
            "/broken": _broken,
        }
    )
    _, found = await served.start("127.0.0.1", 0)
    yield found
    await served.stop()


async def answered(port: int, request: bytes) -> tuple[str, dict[str, str], bytes]:
    """First line, headers and body; all empty where there was no answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    said = await _all_of(reader)
    writer.transport.abort()
    head, _, body = said.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return first, dict(line.split(": ", 1) for line in lines), body


async def _all_of(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(20):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


async def test_a_page_is_answered_whole_and_the_connection_ends(port: int) -> None:
    first, headers, body = await answered(port, GET)

    assert first == "HTTP/1.1 200 OK"
    assert body == b"said"
    assert headers.pop("date").endswith(" GMT")
    assert headers == {"content-type": "text/x", "content-length": "4", "connection": "close"}


async def test_head_is_answered_as_get_without_the_body(port: int) -> None:
    first, headers, body = await answered(port, GET.replace(b"GET", b"HEAD"))

    assert (first, headers["content-length"], body) == ("HTTP/1.1 200 OK", "4", b"")


async def test_a_request_may_come_in_pieces_and_with_a_query(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in (b"GET /page?a=", b"b HTTP/1.0\r", b"\n", b"\r\n"):
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.01)

    assert (await _all_of(reader)).endswith(b"\r\n\r\nsaid")
    writer.close()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /unwell HTTP/1.1\r\nhost: here\r\n\r\n", "503 Service Unavailable"),
        (b"GET /other HTTP/1.1\r\nhost: here\r\n\r\n", "404 Not Found"),
        (b"POST /page HTTP/1.1\r\nhost: here\r\n\r\n", "405 Method Not Allowed"),
        (b"GET /broken HTTP/1.1\r\nhost: here\r\n\r\n", "500 Internal Server Error"),
        (b"GET /page\r\n\r\n", "400 Bad Request"),
        (b"GET /page FTP/1\r\n\r\n", "400 Bad Request"),
        (b"\xff\x00\r\n\r\n", "400 Bad Request"),
        (
            b"GET /page HTTP/1.1\r\nhost: here\r\nx: " + b"y" * 40_000 + b"\r\n\r\n",
            "431 Request Header Fields Too Large",
        ),
    ],
)
async def test_what_cannot_be_answered_is_refused(port: int, request_: bytes, status: str) -> None:
    first, headers, _ = await answered(port, request_)

    assert first == f"HTTP/1.1 {status}"
    assert ("allow" in headers) == status.startswith("405")
    assert (await answered(port, GET))[2] == b"said"


async def test_whoever_says_nothing_is_hung_up_on(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "CONNECTION_SECONDS_MAX", 0.2)

    assert (await answered(port, b"GET /page HTTP/1.1\r\n"))[0] == ""


async def test_whoever_goes_before_the_answer_leaves_nothing_behind(port: int) -> None:
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        writer.transport.abort()

    assert (await answered(port, GET))[2] == b"said"


async def test_beyond_so_many_connections_one_is_hung_up_on(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "CONNECTIONS_MAX", 1)
    _, silent = await asyncio.open_connection("127.0.0.1", port)

    assert (await answered(port, GET))[0] == ""

    silent.transport.abort()

    async def is_answered() -> bool:
        return (await answered(port, GET))[2] == b"said"

    await until(is_answered, "there is room again")


async def test_the_end_waits_for_nobody() -> None:
    served = Pages({})
    _, port = await served.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /")
    await asyncio.sleep(0.05)

    async with asyncio.timeout(5):
        await served.stop()

    assert await _all_of(reader) == b""
    writer.transport.abort()


async def test_a_port_that_is_taken_is_an_error(port: int) -> None:
    with pytest.raises(OSError, match="in use"):
        await Pages({}).start("127.0.0.1", port)


def test_a_worker_does_without_a_web_framework() -> None:
    script = "import sys; import worker.cli.commands.setup, worker.cli.run; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()

    assert "worker.ops.pages" in loaded
    assert "aiohttp" not in loaded
