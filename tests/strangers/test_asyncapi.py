"""The AsyncAPI document as AsyncAPI's own program judges it. Needs it: `make test-ops`."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from schemas.generate import FOLDER
from tests.strangers.tools import require

pytestmark = [pytest.mark.ops, pytest.mark.slow, pytest.mark.timeout(300)]

HOW = "npm install --global @asyncapi/cli (AsyncAPI's command line; its newest releases want Node.js 24 or newer)"


@pytest.fixture(scope="module")
def asyncapi(request: pytest.FixtureRequest) -> str:
    return require(request, "asyncapi", HOW)


def validate(program: str, document: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """With warnings and hints as good as errors."""
    quietly = {"CI": "true", "HOME": str(home)}  # it tells its makers of every run otherwise
    return subprocess.run(
        [program, "validate", str(document), "--fail-severity", "hint"],
        env=os.environ | quietly,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The document with everything that it refers to, for changing."""
    for path in FOLDER.glob("*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path / "asyncapi.json"


def test_the_document_is_valid_and_earns_no_warning(asyncapi: str, tmp_path: Path) -> None:
    judged = validate(asyncapi, FOLDER / "asyncapi.json", tmp_path)

    assert judged.returncode == 0, judged.stdout + judged.stderr
    assert "is valid" in judged.stdout


def test_it_notices_a_document_that_is_wrong(asyncapi: str, copied: Path, tmp_path: Path) -> None:
    """So that a program which lets everything pass is found out."""
    document = json.loads(copied.read_text("utf-8"))
    document["operations"]["sendCommands"]["action"] = "shout"
    copied.write_text(json.dumps(document), "utf-8")

    judged = validate(asyncapi, copied, tmp_path)

    assert judged.returncode != 0
    assert "sendCommands" in judged.stdout + judged.stderr


def test_it_follows_the_references_to_the_schemas_beside_it(asyncapi: str, copied: Path, tmp_path: Path) -> None:
    copied.with_name("billing.project.bind.v1.schema.json").unlink()

    judged = validate(asyncapi, copied, tmp_path)

    assert judged.returncode != 0
    assert "billing.project.bind.v1.schema.json" in judged.stdout + judged.stderr
