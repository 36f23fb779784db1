"""Printing: results to stdout, everything else to stderr. Nothing that came from outside is taken for markup."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final, NoReturn

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

_UNBOUNDED = 1_000  # columns of a table that nobody looks at on a screen

out: Final = Console(highlight=False, width=None if sys.stdout.isatty() else _UNBOUNDED)
err: Final = Console(stderr=True, highlight=False)


def fail(message: str) -> NoReturn:
    """End the command with exit code 1, and say why."""
    say(message, style="red")
    raise typer.Exit(1)


def say(message: str, style: str = "") -> None:
    """Lines for people, on stderr."""
    for line in message.split("\n"):
        err.print(Text(legible(line), style=style), soft_wrap=True)


def print_json(value: object) -> None:
    """One JSON value on one line, on stdout."""
    sys.stdout.write(json.dumps(value, separators=(", ", ": ")) + "\n")


def print_parts(*parts: tuple[str, str] | str) -> None:
    """A line on stdout, each part with its style; plain if stdout is no terminal."""
    if out.is_terminal:
        legible_parts = [(legible(part[0]), part[1]) if isinstance(part, tuple) else legible(part) for part in parts]
        out.print(Text.assemble(*legible_parts), soft_wrap=True)
    else:
        sys.stdout.write(legible("".join(part if isinstance(part, str) else part[0] for part in parts)) + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table on stdout; None is a dash."""
    table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    out.print(table)


def print_facts(facts: Iterable[tuple[str, Any]]) -> None:
    """Names and values, one pair a line, on stdout; None is a dash."""
    table = Table(show_header=False, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name, value in facts:
        table.add_row(Text(name, style="dim"), _cell(value))
    out.print(table)


def legible(text: str) -> str:
    """The text without anything that could move the cursor, hide or reorder other text."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _cell(value: Any) -> Text:
    return Text("-", style="dim") if value is None else Text(legible(str(value)))
