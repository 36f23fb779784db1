"""The chart, rendered by the real helm and held against the schemas of the resources that it makes."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from deploy.helm.generate import NOT_IN_A_CHART
from tests.deploy.definitions import DEFINITIONS
from tests.deploy.rendering import CHART, NEEDED, RELEASE, Rendered, Resource, helm, pod_of, render, require_helm
from worker.settings import Settings, load

pytestmark = pytest.mark.ops

OLDEST = re.search(r">=(\d+\.\d+)", (CHART / "Chart.yaml").read_text("utf-8"))
VERSIONS = [OLDEST[1] if OLDEST else "", ".".join(kubernetes_validate.latest_version().split(".")[:2])]

PODS = ("Deployment", "Job", "Pod")
SECURED: Resource = {
    "environment": NEEDED
    | {
        "BILLING_KAFKA__SECURITY_PROTOCOL": "sasl_ssl",
        "BILLING_KAFKA__USERNAME": "billing-worker",
        "BILLING_TOPICS__PARTITIONS": 24,
    },
    "files": {
        "BILLING_KAFKA__PASSWORD_FILE": {"secret": "billing-kafka", "key": "password"},
        "BILLING_KAFKA__CA_FILE": {"configMap": "kafka-ca", "key": "ca.crt"},
        "BILLING_DATABASE__PASSWORD_FILE": {"secret": "billing-database", "key": "password"},
    },
    "migration": {
        "environment": {"BILLING_DATABASE__OWNER_URL": "postgresql+asyncpg://billing@db.example/billing"},
        "files": {"BILLING_DATABASE__OWNER_PASSWORD_FILE": {"secret": "billing-owner", "key": "password"}},
    },
}
WITH_EVERYTHING: Resource = SECURED | {
    "image": {"repository": "registry.example/billing-worker", "digest": "sha256:" + "0" * 64, "pullSecrets": ["pull"]},
    "autoscaling": {"enabled": True, "min": 2, "max": 8},
    "monitoring": {"podMonitor": True, "rules": True, "dashboard": True, "labels": {"release": "prometheus"}},
    "networkPolicy": {
        "enabled": True,
        "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
        "egress": [{"ports": [{"port": 9093}, {"port": 5432}]}],
    },
    "serviceAccount": {"annotations": {"who": "cares"}},
    "podAnnotations": {"seen": "yes"},
    "podLabels": {"team": "billing"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "billing", "operator": "Exists"}],
    "affinity": {"podAntiAffinity": {}},
    "priorityClassName": "important",
}
MUTUAL_TLS: Resource = {
    "environment": NEEDED | {"BILLING_KAFKA__SECURITY_PROTOCOL": "ssl"},
    "files": {
        "BILLING_KAFKA__CA_FILE": {"secret": "kafka", "key": "ca.crt"},
        "BILLING_KAFKA__CERTIFICATE_FILE": {"secret": "kafka", "key": "tls.crt"},
        "BILLING_KAFKA__KEY_FILE": {"secret": "kafka", "key": "tls.key"},
    },
    "autoscaling": {"enabled": True},
}
PAGE = (CHART.parents[2] / "docs" / "deploying.md").read_text("utf-8")
(OF_THE_PAGE,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
VALUES = {
    "of the page": yaml.safe_load(OF_THE_PAGE),
    "the least": {"environment": NEEDED},
    "secured": SECURED,
    "with everything": WITH_EVERYTHING,
    "mutual TLS": MUTUAL_TLS,
    "authorities of the system": {
        "environment": NEEDED | {"BILLING_KAFKA__SECURITY_PROTOCOL": "ssl"},
        "autoscaling": {"enabled": True},
    },
    "without extras": {
        "environment": NEEDED,
        "migration": {"enabled": False},
        "disruptionBudget": {"enabled": False},
        "serviceAccount": {"create": False},
    },
}


@pytest.fixture(autouse=True)
def _with_helm(request: pytest.FixtureRequest) -> None:
    require_helm(request.config)


@pytest.fixture
def everything(tmp_path: Path) -> Rendered:
    return render(tmp_path, WITH_EVERYTHING)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_every_resource_is_one_that_kubernetes_takes_to_the_letter(
    tmp_path: Path, values: Resource, version: str
) -> None:
    rendered = render(tmp_path, values)

    assert rendered.refusal == ""
    for resource in rendered.resources:
        if definition := DEFINITIONS.get(resource["kind"]):
            jsonschema.validate(resource, definition)
        else:
            kubernetes_validate.validate(resource, version, strict=True)


def test_all_kinds_of_resources_are_among_what_is_checked(everything: Rendered) -> None:
    kinds = "ConfigMap Deployment Job NetworkPolicy Pod PodDisruptionBudget PodMonitor PrometheusRule ScaledObject"

    assert sorted(resource["kind"] for resource in everything.resources) == [
        *kinds.split(),
        "ServiceAccount",
        "TriggerAuthentication",
    ]


@pytest.mark.parametrize("kind", PODS)
def test_nothing_runs_as_root_or_writes_or_may_more_than_it_must(everything: Rendered, kind: str) -> None:
    pod, container = pod_of(everything.only(kind)), everything.container(kind)

    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("kind", PODS)
def test_what_a_container_is_given_are_settings_that_the_program_takes(
    everything: Rendered, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod, variables = pod_of(everything.only(kind)), everything.variables(kind)
    mounted = {
        item["path"]: dict(source.get("secret") or source["configMap"])["name"]
        for source in pod["volumes"][0]["projected"]["sources"]
        for item in (source.get("secret") or source["configMap"])["items"]
    }
    for name in [name for name, value in variables.items() if value == f"/etc/billing-worker/{name}"]:
        assert mounted.pop(name)
        file = tmp_path / name
        file.write_text("secret")
        monkeypatch.delenv(name, raising=False)
        if not name.endswith("CA_FILE"):  # any text will do for a password, and not for a certificate
            monkeypatch.setenv(name, str(file))
    for name, value in variables.items():
        if not name.endswith("_FILE"):
            monkeypatch.setenv(name, value)

    settings = load()

    assert mounted == {}
    assert settings.kafka.username == "billing-worker"
    assert settings.topics.partitions == 24


def test_workers_never_see_the_role_that_changes_tables(everything: Rendered) -> None:
    for kind in ("Deployment", "Pod"):
        assert "OWNER" not in json.dumps(everything.only(kind))
    assert {"BILLING_DATABASE__OWNER_URL", "BILLING_DATABASE__OWNER_PASSWORD_FILE"} <= set(everything.variables("Job"))


def test_no_variable_comes_from_a_service_that_happens_to_be_named_like_a_setting(everything: Rendered) -> None:
    assert [pod_of(everything.only(kind))["enableServiceLinks"] for kind in PODS] == [False] * 3


def test_the_migration_is_over_before_anything_else_of_a_release_begins(everything: Rendered) -> None:
    job = everything.only("Job")

    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert everything.container("Job")["args"] == ["migrate"]
    assert "serviceAccountName" not in pod_of(job), "it would not be there yet"
    assert job["spec"]["activeDeadlineSeconds"] < 300, "helm waits for five minutes"


def test_probes_ask_over_http_and_a_worker_that_waits_is_not_restarted(everything: Rendered) -> None:
    container = everything.container()

    asked = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
    assert asked == {"startup": "/livez", "liveness": "/livez", "readiness": "/readyz"}
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {"http": Settings().http.port}
    assert everything.variables()["BILLING_HTTP__HOST"] == "0.0.0.0"  # noqa: S104 - the pod's own


def test_a_worker_has_the_time_to_hand_its_lanes_over(everything: Rendered) -> None:
    assert (
        pod_of(everything.only("Deployment"))["terminationGracePeriodSeconds"] >= 4 * Settings().lanes.drain_seconds_max
    )


def test_what_is_replaced_drained_and_scaled_is_the_same_workers(everything: Rendered) -> None:
    deployment = everything.only("Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]

    for kind, at in {
        "PodDisruptionBudget": "selector",
        "PodMonitor": "selector",
        "NetworkPolicy": "podSelector",
    }.items():
        assert everything.only(kind)["spec"][at]["matchLabels"].items() <= labels.items()
    job = everything.only("Job")["spec"]["template"]["metadata"]["labels"]
    assert not deployment["spec"]["selector"]["matchLabels"].items() <= job.items()
    assert everything.only("ScaledObject")["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert deployment["metadata"]["name"] == f"{RELEASE}-billing-worker"


def test_a_scaler_owns_the_number_of_workers(everything: Rendered, tmp_path: Path) -> None:
    assert "replicas" not in everything.only("Deployment")["spec"]
    assert render(tmp_path, SECURED).only("Deployment")["spec"]["replicas"] == 3


def test_the_scaler_reads_the_workers_own_group_with_the_workers_own_credentials(everything: Rendered) -> None:
    scaled = everything.only("ScaledObject")["spec"]
    (trigger,) = scaled["triggers"]
    defaults = Settings()

    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (2, 8)
    assert trigger["metadata"]["consumerGroup"] == defaults.kafka.group_id
    assert trigger["metadata"]["topic"] == defaults.topics.commands
    assert (trigger["metadata"]["sasl"], trigger["metadata"]["tls"]) == ("scram_sha512", "enable")
    assert everything.only("TriggerAuthentication")["spec"] == {
        "env": [{"parameter": "username", "name": "BILLING_KAFKA__USERNAME", "containerName": "worker"}],
        "secretTargetRef": [{"parameter": "password", "name": "billing-kafka", "key": "password"}],
        "configMapTargetRef": [{"parameter": "ca", "name": "kafka-ca", "key": "ca.crt"}],
    }


def test_by_default_there_may_be_as_many_workers_as_lanes(tmp_path: Path) -> None:
    rendered = render(tmp_path, SECURED, {"autoscaling": {"enabled": True}})

    assert rendered.only("ScaledObject")["spec"]["maxReplicaCount"] == 24
    assert rendered.only("ScaledObject")["spec"]["minReplicaCount"] == 1


def test_the_authorities_of_the_system_need_nothing_to_authenticate_with(tmp_path: Path) -> None:
    rendered = render(tmp_path, VALUES["authorities of the system"])

    assert rendered.all("TriggerAuthentication") == []
    assert "authenticationRef" not in rendered.only("ScaledObject")["spec"]["triggers"][0]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"environment": {"BILLING_DATABASE__URL": NEEDED["BILLING_DATABASE__URL"]}}, "BOOTSTRAP_SERVERS"),
        ({"environment": NEEDED | {"BILLING_KAFKA__BOTSTRAP": "x"}}, "BILLING_KAFKA__BOTSTRAP"),
        ({"environment": NEEDED | {"BILLING_KAFKA__PASSWORD": "x"}}, "BILLING_KAFKA__PASSWORD"),
        ({"environment": NEEDED | {"BILLING_DATABASE__URL": "postgresql+asyncpg://a:b@c/d"}}, "BILLING_DATABASE__URL"),
        ({"environment": NEEDED | {"BILLING_TOPICS__PARTITIONS": 0}}, "BILLING_TOPICS__PARTITIONS"),
        ({"environment": NEEDED, "files": {"BILLING_KAFKA__PASSWORD_FILE": {"configMap": "a", "key": "b"}}}, "files"),
        ({"environment": NEEDED, "replicas": 0}, "replicas"),
        ({"environment": NEEDED, "replica": 1}, "replica"),
        ({"environment": NEEDED, "autoscaling": {"enabled": True, "min": 0}}, "autoscaling/min"),
        ({"environment": NEEDED, "autoscaling": {"enabled": True, "max": 13}}, "13 workers for 12 partitions"),
        ({"environment": NEEDED, "autoscaling": {"enabled": True, "min": 9, "max": 8}}, "autoscaling.min"),
        ({"environment": NEEDED, "rollout": {"surge": 0, "unavailable": 0}}, "rollout"),
    ],
)
def test_values_that_cannot_work_are_refused_before_anything_is_installed(
    tmp_path: Path, values: Resource, said: str
) -> None:
    rendered = render(tmp_path, values)

    assert rendered.resources == []
    assert said in rendered.refusal


@pytest.mark.parametrize(
    ("given", "written"),
    [(1_000_000, "1000000"), (7.5, "7.5"), ("12", "12"), (False, "false")],
)
def test_numbers_reach_the_worker_as_they_were_written(tmp_path: Path, given: Any, written: str) -> None:
    name = "BILLING_RULES__PAYMENT_PROFILE_REQUIRED" if given is False else "BILLING_LANES__TICK_SECONDS"
    name = "BILLING_TOPICS__RECORD_BYTES_MAX" if given == 1_000_000 else name
    rendered = render(tmp_path, {"environment": NEEDED | {name: given}})

    assert rendered.variables()[name] == written


def test_a_long_release_name_leaves_names_that_kubernetes_takes(tmp_path: Path) -> None:
    rendered = render(tmp_path, WITH_EVERYTHING, {"fullnameOverride": "a" * 63})

    assert max(len(resource["metadata"]["name"]) for resource in rendered.resources) <= 63


def test_helm_itself_has_nothing_to_say_against_the_chart(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(json.dumps(WITH_EVERYTHING), "utf-8")

    done = helm("lint", str(CHART), "--strict", "--values", str(file))

    assert (done.returncode, "1 chart(s) linted, 0 chart(s) failed" in done.stdout) == (0, True), done.stdout


def test_alerts_and_board_are_those_that_are_shipped(everything: Rendered) -> None:
    shipped = Path(__file__).parents[2] / "deploy"
    rules = {rule["alert"] for rule in everything.only("PrometheusRule")["spec"]["groups"][0]["rules"]}
    board = everything.only("ConfigMap")["data"]["billing-worker.json"]

    assert rules == set(
        re.findall(r"alert: (\w+)", (shipped / "prometheus/billing-worker.rules.yaml").read_text("utf-8"))
    )
    assert json.loads(board) == json.loads((shipped / "grafana/billing-worker.json").read_text("utf-8"))


def test_what_is_kept_out_of_a_chart_says_why() -> None:
    assert all(NOT_IN_A_CHART.values())
