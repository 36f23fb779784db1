"""The site is built without a warning; its links lead somewhere, and it fetches nothing from elsewhere."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from reference.llms import on_the_site, pages
from tests.tidy.tree import ROOT

CONFIGURATION = ROOT / "zensical.toml"
NAV = tomllib.loads(CONFIGURATION.read_text("utf-8"))["project"]["nav"]
DIAGRAMS = "https://unpkg.com/mermaid@"
"""What pages with a diagram fetch, and nothing else; docs/decisions.md says so."""


class Page(HTMLParser):
    """What a page links to and fetches, and what can be linked to in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self.anchors |= {said[name] for name in ("id", "name") if name in said}
        if tag == "a" and "href" in said:
            self.links.append(said["href"])
        elif tag == "link" and said.get("rel") not in ("canonical", "prev", "next"):
            self.fetched.append(said["href"])
        elif "src" in said:
            self.fetched.append(said["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built in a directory of its own from the pages as they are."""
    place = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "docs", place / "docs")
    (place / CONFIGURATION.name).write_text(CONFIGURATION.read_text("utf-8"))
    built = subprocess.run(
        [Path(sys.executable).parent / "zensical", "build", "--strict", "--clean"],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    said = built.stdout + built.stderr
    assert built.returncode == 0, said
    assert not re.search("warning|error", said, re.IGNORECASE), said
    return place / "dist/site"


@pytest.fixture(scope="module")
def read(site: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text("utf-8")) for path in site.rglob("*.html")}


def test_every_page_has_its_place_in_the_navigation(site: Path) -> None:
    placed = [name for _, _, name in pages(NAV)]
    there = [path.relative_to(ROOT / "docs").as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))]

    assert sorted(placed) == sorted(there)
    assert [name for name in placed if not (site / on_the_site(name)).exists()] == []


def test_every_link_leads_to_a_page_and_to_a_place_in_it(site: Path, read: dict[Path, Page]) -> None:
    checked = list(targets(site, read))

    assert len(checked) > 500
    assert [said for said in checked if said] == []


def targets(site: Path, read: dict[Path, Page]) -> Iterator[str]:
    """What is wrong with each link that stays on the site; empty for nothing."""
    for path, page in read.items():
        for link in page.links:
            url = urlsplit(link)
            if url.scheme or url.netloc or path.name == "404.html":
                continue
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_relative_to(site.resolve()) or not target.exists():
                yield f"{path.name}: {link} leads nowhere"
            elif url.fragment and target in read and unquote(url.fragment) not in read[target].anchors:
                yield f"{path.name}: {link} leads to no place in {target.name}"
            else:
                yield ""


def test_nothing_is_fetched_from_elsewhere_but_the_library_that_draws_diagrams(
    site: Path, read: dict[Path, Page]
) -> None:
    assert len(read) > 10
    fetched = {(path.name, url) for path, page in read.items() for url in page.fetched}
    assert fetched
    assert [(name, url) for name, url in fetched if urlsplit(url).netloc] == []
    styles = "".join(path.read_text("utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"url\(['\"]?https?:[^)]*|@import[^;]*", styles) == []
    (bundle,) = site.glob("assets/javascripts/bundle*.js")
    assert DIAGRAMS in bundle.read_text("utf-8")


def test_what_programs_read_is_on_the_site(site: Path) -> None:
    assert (site / "llms.txt").read_text("utf-8") == (ROOT / "docs/llms.txt").read_text("utf-8")


def test_the_readme_stays_a_page_and_leads_to_the_site() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")

    assert len(readme.splitlines()) <= 200
    assert "docs/index.md" in readme
