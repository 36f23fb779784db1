"""The pages of the reference say what the code says, and `llms.txt` what the pages say."""

import re
from pathlib import Path

import pytest

from reference import llms, settings
from reference.__main__ import files
from reference.written import keep
from schemas.documents import MESSAGES
from schemas.refusals import DETAILS
from schemas.rejections import RejectionCode
from tests.tidy.tree import ROOT, name_of
from worker.cli.program import COMMANDS, load
from worker.settings import names
from worker.wire.request import Why

FILES = files()


def page(name: str) -> str:
    return FILES[ROOT / "docs/reference" / name]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_generated_page_is_as_the_code_says(path: Path) -> None:
    assert path.read_text("utf-8") == FILES[path], "python -m reference writes it anew"


def test_a_page_that_says_something_else_is_told_of_and_written_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = {tmp_path / "old.md": "old\n", tmp_path / "folder/new.md": "new\n"}
    (tmp_path / "old.md").write_text("otherwise\n")

    assert keep("pages", None, wanted, ["--check"]) == 1
    assert capsys.readouterr().out.split() == ["old.md", "new.md"]
    assert not (tmp_path / "folder").exists()
    assert (keep("pages", None, wanted, []), keep("pages", None, wanted, ["--check"])) == (0, 0)
    assert (tmp_path / "folder/new.md").read_text() == "new\n"


def test_every_setting_stands_on_the_page_with_what_it_takes_and_means() -> None:
    rows = re.findall(r"^\| `(BILLING_\w+)` \| (.+) \| (.+) \| (.+) \|$", page("settings.md"), re.MULTILINE)

    assert [name for name, *_ in rows] == sorted((name for name, *_ in rows), key=names().index)
    assert {name for name, *_ in rows} == set(names())
    assert "whole number, 1 to 1,000" in settings.page()


def test_every_command_stands_on_the_page_with_all_of_its_options() -> None:
    sections = dict(re.findall(r"^## ([a-z -]+)\n(.*?)(?=^## |\Z)", page("program.md"), re.MULTILINE | re.DOTALL))
    for name in COMMANDS:
        command = load(name)
        inner = {f"{name} {each}": found for each, found in getattr(command, "commands", {}).items()} or {name: command}
        for whole, found in inner.items():
            options = {option for each in found.params for option in each.opts if option.startswith("--")}
            assert {option for option in options - {"--help"} if f"`{option}" not in sections[whole]} == set(), whole


def test_every_message_stands_on_a_page() -> None:
    told = re.findall(r"^##+ `(billing\.[a-z0-9.-]+)`$", page("commands.md") + page("events.md"), re.MULTILINE)

    assert sorted(told) == sorted(MESSAGES)


def test_every_code_and_every_reason_stands_on_the_page() -> None:
    told = re.findall(r"^\| `([A-Z_0-9]+)` \|", page("rejections.md"), re.MULTILINE)

    assert told == [*RejectionCode, *Why]
    assert page("rejections.md").count("`expected`, `actual`") == 1
    assert set(DETAILS) < set(RejectionCode)


@pytest.mark.parametrize("path", [ROOT / "llms.txt", ROOT / "docs/llms.txt"], ids=name_of)
def test_what_programs_read_has_a_title_a_summary_and_a_line_for_each_page(path: Path) -> None:
    title, _, summary, _, *lines = path.read_text("utf-8").splitlines()
    links = [re.fullmatch(r"- \[[^]]+\]\(([^)]+)\): \S.+[.?)`\w]", line) for line in lines if line[:1] not in ("", "#")]

    assert title.startswith("# ")
    assert summary.startswith("> ")
    assert None not in links
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in sorted((ROOT / "docs").rglob("*.md"))]
    where = llms.in_the_repository if path.parent == ROOT else llms.on_the_site
    assert sorted(link[1] for link in links if link) == sorted(where(name) for name in pages)
