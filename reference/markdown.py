"""Pieces of Markdown."""

import textwrap
from collections.abc import Iterable, Sequence
from typing import Final

WIDTH: Final = 120


def wrapped(text: str, indent: str = "") -> str:
    """A paragraph, or an item of a list, no line of which is too long."""
    return textwrap.fill(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; what would end a cell is escaped."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines)


def code(text: str) -> str:
    """Something quoted as code."""
    return f"`{text}`"
