"""`docs/recovery.md` as whoever has nothing else reads it: what to type in a section, in the order in which it stands.

Drills run what is read here and nothing of their own, so that the page cannot say what does not work.
"""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs/recovery.md"
PROGRAM = "billing-worker"

Command = list[str]
"""Its arguments, without the program's own name."""


def section(head: str) -> str:
    """What stands below a heading."""
    found = re.search(rf"^## {re.escape(head)}\n(.*?)(?=^## |\Z)", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert found is not None, f"the page has no section {head!r}"
    return found[1]


def commands(head: str, **put: str) -> list[Command]:
    """The commands of a section's blocks. Each word of the page in `put` stands for something, and is replaced."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", section(head), re.DOTALL | re.MULTILINE)
    found = [command_of(line, put) for block in blocks for line in block.splitlines() if line.strip()]
    assert found, f"nothing is to be typed in {head!r}"
    return found


def quoted(head: str, begins: str, **put: str) -> Command:
    """The one command in a section's sentences that begins so."""
    (found,) = {span for span in spans(section(head)) if span.removeprefix(f"{PROGRAM} ").startswith(begins)}
    return command_of(found, put)


def row(head: str, says: str) -> tuple[str, ...]:
    """The one row of a section's table whose first cell has these words."""
    rows = [
        tuple(cell.strip() for cell in line.strip("|").split("|")) for line in section(head).splitlines() if "|" in line
    ]
    (found,) = [cells for cells in rows if says in cells[0]]
    return found


def spans(markdown: str) -> list[str]:
    """What is quoted as code."""
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", markdown)


def command_of(line: str, put: Mapping[str, str]) -> Command:
    """A line as a shell reads it, with what its placeholders stand for."""
    words = shlex.split(line, comments=True)
    if words[0] == PROGRAM:
        words = words[1:]
    return [put.get(word, word) for word in words]
