"""Writes the pages that say what the code says, and `llms.txt`; or tells with `--check` whether they are as it says."""

import sys
from collections.abc import Sequence
from pathlib import Path

from reference import llms, messages, metrics, program, rejections, settings
from reference.llms import DOCS, ROOT
from reference.written import keep


def files() -> dict[Path, str]:
    """The text of every generated page."""
    folder = DOCS / "reference"
    pages = {
        folder / "program.md": program.page(),
        folder / "settings.md": settings.page(),
        folder / "topics.md": messages.topics(),
        folder / "commands.md": messages.commands(),
        folder / "events.md": messages.events(),
        folder / "rejections.md": rejections.page(),
        DOCS / "metrics.md": metrics.page(),
    }
    overviews = {
        ROOT / "llms.txt": llms.page(pages, llms.in_the_repository),
        DOCS / "llms.txt": llms.page(pages, llms.on_the_site),
    }
    return pages | overviews


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or compare; 1 means that a page would change."""
    return keep("reference", __doc__, files(), arguments)


if __name__ == "__main__":
    sys.exit(main())
