"""The blocks of code on the pages that people read, in the order in which they stand."""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.tidy.tree import ROOT, name_of

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]

ADDRESSES = re.compile(r"^(?:set -a; \. \.billing/billing\.env|export BILLING_\w+=)")
"""Lines that only tell where Kafka and PostgreSQL are, or how they are reached: tests have their own."""


@dataclass(frozen=True)
class Block:
    """Code below a heading; `shows` is the block of text that follows it: what it prints."""

    page: str
    head: str
    language: str
    text: str
    shows: str = ""

    @property
    def begins(self) -> str:
        """Its first line, by which people find it."""
        return self.text.partition("\n")[0].partition("  #")[0].strip()

    @property
    def commands(self) -> str:
        """What is to be executed of it: all but addresses."""
        return "\n".join(line for line in self.text.splitlines() if not ADDRESSES.match(line))


def blocks_of(page: Path, language: str = "sh") -> list[Block]:
    """The page's blocks in a language."""
    found: list[Block] = []
    head, opened, lines = "", "", list[str]()
    for line in page.read_text("utf-8").splitlines():
        fence = re.match(r"^ *```(\w*)$", line)
        if fence and not opened:
            opened, lines = fence[1] or "text", []
        elif fence:
            block = Block(name_of(page), head, opened, "\n".join(lines))
            if block.language == "text" and found and found[-1].shows == "" and found[-1].head == head:
                found[-1] = Block(name_of(page), head, found[-1].language, found[-1].text, block.text)
            found.append(block)
            opened = ""
        elif opened:
            lines.append(line)
        elif heading := re.match(r"^#+ (.+)$", line):
            head = heading[1]
    return [block for block in found if block.language == language]


def block_of(page: str, head: str, containing: str = "") -> Block:
    """The one block of commands below a heading that contains some words."""
    (found,) = [each for each in blocks_of(ROOT / page) if each.head == head and containing in each.text]
    return found
