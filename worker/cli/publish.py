"""`publish`: commands into the topic, and what becomes of them."""

import io
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import typer

from worker.cli.console import fail, print_json, print_parts, say
from worker.cli.publishing.answers import Answer, is_refusal, outcome_of
from worker.cli.publishing.batches import BadLines
from worker.cli.publishing.lines import Completion, Untouched
from worker.cli.publishing.work import Order, Report, carry_out
from worker.cli.reach import finish
from worker.settings import Settings, load
from worker.wire.request import Unreadable
from worker.wire.strict_json import read_json


@dataclass(frozen=True, slots=True)
class Ways:
    """How to publish: so many a second at most, waiting for answers or not, all lines checked first or not."""

    rate: float | None
    wait_seconds: float | None
    is_checked: bool
    as_json: bool


def publish_one(single: Mapping[str, object], given: Mapping[str, object], source: str, ways: Ways) -> None:
    """Publish one command; its `data` is JSON text."""
    settings = load()
    completion = Completion(source, given, settings.lanes.command_bytes_max)
    line = dict(single)
    if "data" in line:
        line["data"] = _read_data(str(line["data"]))
    stream = io.BytesIO(json.dumps(line).encode())
    order = Order(stream, completion.complete, is_raw=False, is_checked=True, rate=None, wait_seconds=ways.wait_seconds)
    _carry_out(settings, order, as_json=ways.as_json)


def publish_file(file: str, given: Mapping[str, object], source: str, ways: Ways) -> None:
    """Publish the lines of a file, each a command."""
    settings = load()
    completion = Completion(source, given, settings.lanes.command_bytes_max)
    with _opened(file) as stream:
        order = Order(stream, completion.complete, False, ways.is_checked, ways.rate, ways.wait_seconds)
        _carry_out(settings, order, as_json=ways.as_json)


def publish_raw(file: str, key: str, ways: Ways) -> None:
    """Publish the lines of a file as they are."""
    settings = load()
    with _opened(file) as stream:
        complete = Untouched(key.encode(errors="surrogateescape")).complete
        order = Order(stream, complete, True, ways.is_checked, ways.rate, ways.wait_seconds)
        _carry_out(settings, order, as_json=ways.as_json)


def _carry_out(settings: Settings, order: Order, *, as_json: bool) -> None:
    report = Report()

    def show(answer: Answer) -> None:
        report.note(answer)
        if as_json:
            print_json(_as_json(answer))
        else:
            _print(answer)

    try:
        finish(carry_out(settings, order, report, show))
    except BadLines as bad:
        say(str(bad), style="red")
        fail("Nothing was published." if order.is_checked else f"{report.sent} commands before it were published.")
    except typer.Exit:
        say(f"{report.sent} commands were published before.")
        raise
    except KeyboardInterrupt:
        fail(f"Stopped; {report.sent} commands are published for certain.")
    summary = f"{report.sent} {'command' if report.sent == 1 else 'commands'} published"
    if order.wait_seconds is not None:
        say(f"{summary}, {report.refused} rejected, {report.missing} without an answer")
        if report.missing:
            fail(f"No further answer in {order.wait_seconds:g} s: is a worker running? See `billing-worker lanes`.")
        raise typer.Exit(1 if report.refused else 0)
    if as_json:
        topic, seconds = settings.topics.commands, round(report.seconds, 3)
        print_json({"published": report.sent, "topic": topic, "seconds": seconds})
    else:
        print_parts(f"{summary} to {settings.topics.commands} in {report.seconds:.1f} s")


def _read_data(text: str) -> object:
    read = read_json(text.encode(errors="surrogateescape"))
    if isinstance(read, Unreadable):
        raise typer.BadParameter(f"--data: {read.detail}")
    return read


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = Path(file).open("rb")  # noqa: SIM115 - closed below; only opening it may go wrong here
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}") from None
    with stream:
        yield stream


def _print(answer: Answer) -> None:
    data = answer["data"]
    outcome = outcome_of(answer)
    again = " again" if data.get("duplicate") else ""
    print_parts(
        (f"{outcome + again:<16}", "yellow" if is_refusal(answer) else "green"),
        (f" {answer['organization']} {data['command']} ", "dim"),
        _short(data.get("type", "dry run")),
    )
    for reason in data.get("reasons", ()):
        where = f" at {reason['details']['path'] or '/'}" if "path" in reason["details"] else ""
        print_parts("  ", (str(reason["code"]), "bold"), f"{where}: {reason['message']}")
    for event in data.get("events", ()):
        print_parts("  ", (_short(event["type"]), "blue"), (f" {event['subject']} #{event['sequence']}", "dim"))
    if (more := data.get("eventCount", 0) - len(data.get("events", ()))) > 0:
        print_parts(f"  and {more} more")


def _as_json(answer: Answer) -> dict[str, object]:
    head = {"organization": answer["organization"], "outcome": outcome_of(answer), "at": answer["time"]}
    return {**head, "position": answer["commandposition"], **answer["data"]}


def _short(kind: str) -> str:
    return kind.removeprefix("billing.").removesuffix(".v1")
