"""The chart as `helm` renders it."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "billing-worker"
HELM_SECONDS_MAX = 60
NO_HELM = (
    "helm is needed: from your system, or go install helm.sh/helm/v4/cmd/helm@latest and the directory that "
    "`go env GOPATH` names, with /bin, in PATH"
)
RELEASE = "acme"

Resource = dict[str, Any]

NEEDED: Resource = {
    "BILLING_KAFKA__BOOTSTRAP_SERVERS": "kafka.example:9093",
    "BILLING_DATABASE__URL": "postgresql+asyncpg://billing_worker@db.example/billing",
}


@dataclass(frozen=True)
class Rendered:
    """What came of it: the resources, or why there are none."""

    resources: list[Resource]
    refusal: str

    def only(self, kind: str) -> Resource:
        """The one of a kind."""
        (found,) = self.all(kind)
        return found

    def all(self, kind: str) -> list[Resource]:
        """All of a kind."""
        return [resource for resource in self.resources if resource["kind"] == kind]

    def container(self, kind: str = "Deployment") -> Resource:
        """The container of a kind that has pods."""
        (found,) = pod_of(self.only(kind))["containers"]
        return dict(found)

    def variables(self, kind: str = "Deployment") -> dict[str, str]:
        """The environment of its container."""
        return {variable["name"]: variable["value"] for variable in self.container(kind)["env"]}


def pod_of(resource: Resource) -> Resource:
    """The description of the pods that a resource makes."""
    found: Resource = resource["spec"]["template"]["spec"] if "template" in resource["spec"] else resource["spec"]
    return found


def render(folder: Path, *values: Resource) -> Rendered:
    """Render with these values, each over the ones before, as `helm install` would."""
    files = []
    for number, value in enumerate(values):
        file = folder / f"values-{number}.yaml"
        file.write_text(yaml.safe_dump(value), "utf-8")
        files += ["--values", str(file)]
    done = helm("template", RELEASE, str(CHART), *files, "--namespace", "billing")
    if done.returncode:
        return Rendered([], done.stderr)
    return Rendered([each for each in yaml.safe_load_all(done.stdout) if each], "")


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Whatever it says."""
    return subprocess.run(["helm", *arguments], capture_output=True, text=True, timeout=HELM_SECONDS_MAX, check=False)


def require_helm(config: pytest.Config) -> None:
    """Skip without it; fail where the tools of operators were asked for."""
    if shutil.which("helm"):
        return
    if "ops" in str(config.getoption("markexpr")):
        pytest.fail(NO_HELM)
    pytest.skip(NO_HELM)
