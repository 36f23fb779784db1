"""What can be known of the chart without helm."""

import re
import tomllib
from pathlib import Path

import jsonschema
import pytest

from deploy.helm import generate
from worker.settings import SettingsError, load, names

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/helm/billing-worker"
TEXTS = "".join(path.read_text("utf-8") for path in sorted(CHART.rglob("*")) if path.is_file())
NAMED = set(re.findall(r"\bBILLING_[A-Z]+(?:__[A-Z_]+)?\b", TEXTS))


def test_the_schema_of_the_values_is_as_the_settings_say(tmp_path: Path) -> None:
    assert generate.main(["--check"]) == 0
    assert generate.main(["--check"], tmp_path / "missing.json") == 1
    assert (generate.main([], tmp_path / "made.json"), generate.main(["--check"], tmp_path / "made.json")) == (0, 0)


def test_the_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(generate.values())


def test_every_setting_may_be_given_to_the_chart_in_one_place_or_says_why_not() -> None:
    properties = generate.values()["properties"]
    workers = set(properties["environment"]["properties"]) | set(properties["files"]["properties"])
    migration = properties["migration"]["properties"]
    migrators = set(migration["environment"]["properties"]) | set(migration["files"]["properties"])

    assert workers | migrators | set(generate.NOT_IN_A_CHART) == set(names())
    assert migrators - workers == generate.MIGRATORS
    assert not workers & set(generate.NOT_IN_A_CHART)


def test_every_setting_that_the_chart_names_is_one() -> None:
    assert set(names()) >= NAMED
    assert "BILLING_KAFKA__BOOTSTRAP_SERVERS" in NAMED


def test_a_service_that_is_named_like_a_setting_would_stop_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubernetes makes such variables for every service, which is why the chart asks for none."""
    monkeypatch.setenv("BILLING_API_SERVICE_HOST", "10.0.0.1")

    with pytest.raises(SettingsError, match="BILLING_API_SERVICE_HOST is not a setting"):
        load()


def test_the_chart_is_of_the_release_that_it_installs() -> None:
    release = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]

    assert re.findall(r'^(?:appVersion|version): "?([^"\n]+)"?$', TEXTS, re.MULTILINE) == [release, release]


@pytest.mark.parametrize("name", ["billing-worker.rules.yaml", "billing-worker.json"])
def test_alerts_and_board_lie_in_the_chart_once(name: str) -> None:
    file = CHART / "files" / name

    assert file.is_symlink()
    assert file.resolve().is_relative_to(ROOT / "deploy")
    assert file.exists()
