"""The page "From your language": its sections, and their commands as somebody types them."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "languages.md").read_text("utf-8")
EXAMPLES = ROOT / "examples" / "languages"


@dataclass(frozen=True)
class Commands:
    """How a language publishes one command, and how it subscribes."""

    publish: str
    subscribe: str


def section(title: str) -> str:
    """What stands below a heading, up to the next one."""
    (found,) = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(title: str) -> Commands:
    """The two blocks of commands below a heading."""
    publish, subscribe = blocks(section(title), "sh")
    return Commands(publish, subscribe)
