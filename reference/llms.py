"""`llms.txt`: the pages in their order, a line each, for programs that read. In the repository, and on the site.

Title, summary and lists of links, as llmstxt.org has it. What is said of a page is its own first sentence.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
DOCS: Final = ROOT / "docs"
SITE: Final = ROOT / "zensical.toml"

GROUP: Final = "Docs"
"""Where pages stand that the navigation has in no group."""


def page(generated: Mapping[Path, str], link: Callable[[str], str]) -> str:
    """The whole file; `link` tells where a page of `docs/` is. Texts that are about to be written count as written."""
    site = tomllib.loads(SITE.read_text("utf-8"))["project"]
    lines = [f"# {site['site_name']}", "", f"> {site['site_description']}"]
    group = ""
    for head, title, name in pages(site["nav"]):
        if head != group:
            lines += ["", f"## {head}", ""]
            group = head
        lines.append(f"- [{title}]({link(name)}): {_first_sentence(DOCS / name, generated)}")
    return "\n".join([*lines, ""])


def in_the_repository(name: str) -> str:
    """Where a page is, seen from the top of the repository."""
    return f"docs/{name}"


def on_the_site(name: str) -> str:
    """Where a page is, seen from the top of the site."""
    return name.replace("README.md", "index.md").removesuffix(".md") + ".html"


def pages(nav: list[dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Group, title and file of every page of the navigation; first those that stand in no group."""
    entries = [(title, target) for entry in nav for title, target in entry.items()]
    yield from ((GROUP, title, target) for title, target in entries if isinstance(target, str))
    for head, inner in entries:
        if not isinstance(inner, str):
            yield from ((head, title, name) for entry in inner for title, name in entry.items())


def _first_sentence(path: Path, generated: Mapping[Path, str]) -> str:
    text = generated.get(path) or path.read_text("utf-8")
    paragraph = re.search(r"^#[^\n]+\n+(.+?)(?:\n\n|\Z)", text, re.DOTALL | re.MULTILINE)
    assert paragraph, f"{path.name} has no paragraph below its title"  # noqa: S101 - a defect of the page
    words = " ".join(paragraph[1].split())
    sentence = re.match(r".+?[.?](?=\s|$)", words)
    said = sentence[0] if sentence else words
    return re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", said).replace("**", "")
