"""What production installs is written down whole, and an audit that audited nothing does not pass."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements/runtime.txt"


def made(target: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """What make does, with the virtual environment as it is."""
    return subprocess.run(
        ["make", "--no-print-directory", "--assume-old=.venv/ready", target],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@pytest.fixture
def sbom() -> dict[str, object]:
    done = made("sbom")
    assert done.returncode == 0, done.stderr
    return dict(json.loads((ROOT / done.stdout.strip()).read_text()))


def test_the_bill_of_materials_has_every_package_of_the_lock(sbom: dict[str, object]) -> None:
    locked = dict(re.findall(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==([^\s;]+)", LOCK.read_text(), re.MULTILINE))
    components = sbom["components"]
    assert isinstance(components, list)

    assert sbom["bomFormat"] == "CycloneDX"
    assert len(locked) > 30
    assert {component["name"]: component["version"] for component in components} == locked


def test_an_audit_that_reaches_no_advisory_service_fails_and_says_so() -> None:
    nowhere = "http://127.0.0.1:9"

    done = made("audit", HTTPS_PROXY=nowhere, https_proxy=nowhere, HTTP_PROXY=nowhere, http_proxy=nowhere)

    assert done.returncode != 0
    assert "no advisory service was reached and nothing was audited" in done.stderr
    assert "No known vulnerabilities" not in done.stdout + done.stderr
