"""What the committed texts say is so, and says nothing of where it was made."""

import json
import re
from pathlib import Path

import pytest

from tests.tidy.tree import ROOT, committed, name_of
from worker.cli.program import COMMANDS
from worker.settings import names

README = (ROOT / "README.md").read_text("utf-8")
PAGES = {
    name_of(path): path.read_text("utf-8") for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
}
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))

# Spelled in two parts, so that this module does not find itself.
HOSTS = [
    "py" + "pi.org", "python" + "hosted.org", "maven" + ".org", "mvn" + "repository.com", "docker" + ".io",
    "gh" + "cr.io", "quay" + ".io", "gcr" + ".io", "npmjs" + ".org", "artifact" + "ory",
]  # fmt: skip
PLACES = ["/ho" + "me/", "/ro" + "ot/", "/Us" + "ers/", "/wo" + "rk/", "/op" + "t/homebrew", "C:" + "\\Users"]


def test_no_text_names_a_registry_or_a_place_on_somebodys_machine() -> None:
    place = re.compile(r"(?<![\w.$}])(" + "|".join(map(re.escape, PLACES)) + ")")
    assert len(committed()) > 300
    for path in committed():
        text = path.read_text("utf-8")
        assert [host for host in HOSTS if host in text] == [], name_of(path)
        assert place.findall(text) == [], name_of(path)


def test_the_pages_name_only_commands_that_the_program_has() -> None:
    called = {name for page in PAGES.values() for name in re.findall(r"\bbilling-worker ([a-z][a-z-]*)\b", page)}

    assert called
    assert called - {"dev"} <= set(COMMANDS)


def test_the_pages_name_only_settings_that_there_are() -> None:
    named = {name for page in PAGES.values() for name in re.findall(r"\bBILLING_[A-Z]+__[A-Z_]+\b", page)}

    assert named
    assert named <= set(names())


def test_the_pages_name_only_options_that_commands_have() -> None:
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "worker/cli").rglob("*.py"))
    called = [line for page in PAGES.values() for line in re.findall(r"billing-worker [^`\n#|]*", page)]
    options = {option for line in called for option in re.findall(r"(?<= )--[a-z][a-z-]+", line)}

    assert options
    assert {option for option in options if f'"{option}"' not in sources} <= {"--demo", "--help"}


def test_the_readme_names_only_targets_that_make_has() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)", README, re.MULTILINE))

    assert {"run", "test"} <= {one or other for one, other in named} <= targets


def test_the_readme_counts_the_story_right() -> None:
    (said,) = re.findall(r"a story of (\d+) commands", README)
    story = [json.loads(line) for line in (ROOT / "worker/cli/story.jsonl").read_text("utf-8").splitlines()]

    assert int(said) == len(story)


@pytest.mark.parametrize("name", PAGES)
def test_the_links_of_a_page_lead_somewhere(name: str) -> None:
    page, text = ROOT / name, PAGES[name]
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-")
        for head in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / link).exists(), link
    for anchor in re.findall(r"\]\(#([^)]+)\)", text):
        assert anchor in anchors


def test_the_tests_that_the_guarantees_name_are_there() -> None:
    named = re.findall(r"`(tests/[a-z_/]+(?:\.py)?)(?:/\*\*)?`", PAGES["docs/guarantees.md"])

    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("lock", LOCKS, ids=name_of)
def test_a_lock_has_a_hash_for_every_package_and_names_no_index(lock: Path) -> None:
    text = lock.read_text("utf-8")
    packages = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]

    assert packages
    for package in packages:
        assert re.match(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==\S+", package), package
        assert "--hash=sha256:" in package, package.splitlines()[0]
    assert "://" not in text
    assert "index-url" not in text
    assert "find-links" not in text
