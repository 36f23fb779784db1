"""The page "From your language" shows the files that it is about, whole and as they are."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.strangers.page import EXAMPLES, PAGE, blocks
from tests.tidy.tree import ROOT, committed
from worker.embedded.jars import KAFKA_VERSION

NAMES = {".py": "python", ".java": "java", ".go": "go", ".mjs": "js"}
FILES = sorted(path for path in committed() if path.is_relative_to(EXAMPLES) and path.suffix in NAMES)
LINES_MAX = 90


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(EXAMPLES).as_posix())
def test_the_page_shows_the_file_to_the_letter(path: Path) -> None:
    text = path.read_text("utf-8")

    assert blocks(PAGE, NAMES[path.suffix]).count(text) == 1
    assert len(text.splitlines()) <= LINES_MAX, "who is to copy it has to read it"


def test_the_page_shows_no_other_code() -> None:
    assert len(FILES) == len(re.findall(rf"^```(?:{'|'.join(NAMES.values())})$", PAGE, re.MULTILINE))


def test_its_commands_name_files_and_jars_that_are_there() -> None:
    shell = "".join(blocks(PAGE, "sh"))
    named = re.findall(r"examples/languages/[\w./]+\.(?:py|java|mjs)", shell)

    assert len(named) >= 6
    assert [name for name in named if not (ROOT / name).exists()] == []
    assert set(re.findall(r"billing-worker/kafka-([\d.]+)/", shell)) == {KAFKA_VERSION}


def test_the_python_examples_need_nothing_that_is_not_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    installed = {
        re.split(r"[\[<>=; ]", line)[0]
        for line in project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    }

    assert {"aiokafka", "cloudevents"} <= installed
