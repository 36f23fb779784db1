"""Writes `values.schema.json` of the chart, or tells with `--check` whether it is as said here and in the settings."""  # noqa: INP001 - a script

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from worker.settings import Settings, names

SCHEMA: Final = Path(__file__).parent / "billing-worker" / "values.schema.json"

MIGRATORS: Final = frozenset({"BILLING_DATABASE__OWNER_URL", "BILLING_DATABASE__OWNER_PASSWORD_FILE"})
"""What `migrate` alone is given: workers never see the role that changes tables."""

NOT_IN_A_CHART: Final = {
    "BILLING_KAFKA__PASSWORD": "a secret: BILLING_KAFKA__PASSWORD_FILE",
    "BILLING_KAFKA__KEY_PASSWORD": "a secret: BILLING_KAFKA__KEY_PASSWORD_FILE",
    "BILLING_HTTP__PORT": "the chart's own",
    "BILLING_TESTING__FAILPOINTS": "for tests",
}
KEPT: Final = frozenset({"type", "enum", "minimum", "maximum", "exclusiveMinimum", "pattern", "minLength", "maxLength"})

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
NAME: Final[Schema] = {"type": "string", "maxLength": 63, "pattern": "^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$"}
SWITCH: Final[Schema] = {"type": "boolean"}
LABELS: Final[Schema] = {"type": "object", "additionalProperties": TEXT}
THINGS: Final[Schema] = {"type": "array", "items": {"type": "object"}}
QUANTITIES: Final[Schema] = {"type": "object", "additionalProperties": {"type": ["string", "number"]}}


def values() -> Schema:
    """The schema of everything that may be set."""
    parts = {
        "image": closed(
            repository={"type": "string", "minLength": 1},
            tag=TEXT,
            digest={"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
            pullPolicy={"enum": ["Always", "IfNotPresent", "Never"]},
            pullSecrets={"type": "array", "items": {"type": "string", "minLength": 1}},
        ),
        "replicas": whole(1, 1_000),
        "environment": _environment(),
        "files": _files(),
        "migration": closed(
            enabled=SWITCH,
            environment=_environment(of_migrator=True),
            files=_files(of_migrator=True),
            retriesMax=whole(0, 100),
            secondsMax=whole(10, 86_400),
            resources=_resources(),
        ),
        "autoscaling": closed(
            enabled=SWITCH,
            min=whole(1, 1_000),
            max={"type": ["integer", "null"], "minimum": 1, "maximum": 1_000},
            lagPerWorker=whole(1, 10_000_000),
            pollingSeconds=whole(1, 3_600),
            scaleDownSeconds=whole(0, 3_600),
        ),
        # Nobody is replaced where neither one more nor one fewer is allowed.
        "rollout": closed(surge=whole(0, 1_000), unavailable=whole(0, 1_000), settleSeconds=whole(0, 3_600))
        | {"not": {"properties": {"surge": {"const": 0}, "unavailable": {"const": 0}}}},
        "terminationGracePeriodSeconds": whole(1, 3_600),
        "disruptionBudget": closed(enabled=SWITCH, maxUnavailable=whole(1, 1_000)),
        "resources": _resources(),
        "serviceAccount": closed(create=SWITCH, name=NAME, annotations=LABELS),
        "monitoring": closed(
            podMonitor=SWITCH,
            rules=SWITCH,
            dashboard=SWITCH,
            dashboardLabels=LABELS,
            labels=LABELS,
            intervalSeconds=whole(1, 3_600),
        ),
        "networkPolicy": closed(enabled=SWITCH, **{"from": THINGS}, egress=THINGS),
        "podAnnotations": LABELS,
        "podLabels": LABELS,
        "nodeSelector": LABELS,
        "tolerations": THINGS,
        "affinity": {"type": "object"},
        "priorityClassName": NAME,
        "nameOverride": NAME,
        "fullnameOverride": NAME,
        "global": {"type": "object"},  # whoever makes this a part of a chart of theirs may have some
    }
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": "billing-worker", **closed(**parts)}


def closed(**properties: Schema) -> Schema:
    """An object that has nothing but these."""
    return {"type": "object", "additionalProperties": False, "properties": properties}


def whole(least: int, most: int) -> Schema:
    """A whole number within bounds."""
    return {"type": "integer", "minimum": least, "maximum": most}


def _resources() -> Schema:
    return closed(requests=QUANTITIES, limits=QUANTITIES)


def _environment(*, of_migrator: bool = False) -> Schema:
    """Settings by their names, within their bounds; as text, too. No file, and no password, not even in a URL."""
    document = Settings.model_json_schema()
    found = {}
    for name in names():
        if name.endswith("_FILE") or name in NOT_IN_A_CHART or (name in MIGRATORS and not of_migrator):
            continue
        if name.endswith("_URL"):
            found[name] = {"type": "string", "pattern": r"^postgresql\+asyncpg://([^:@/?]+@)?[^@]+$"}
        else:
            found[name] = _as_text_too(_setting(document, name))
    made = closed(**found) | {"patternProperties": {"^OTEL_[A-Z_]+$": TEXT}}  # of OpenTelemetry's own
    return made if of_migrator else made | {"required": ["BILLING_DATABASE__URL", "BILLING_KAFKA__BOOTSTRAP_SERVERS"]}


def _files(*, of_migrator: bool = False) -> Schema:
    """Settings that name a file, and where it comes from: what is secret from a secret, what is not from either."""
    key = {"type": "string", "pattern": "^[-._a-zA-Z0-9]+$"}
    place = {"type": "string", "minLength": 1, "maxLength": 253}
    secret = closed(secret=place, key=key) | {"required": ["secret", "key"]}
    public = closed(configMap=place, key=key) | {"required": ["configMap", "key"]}
    is_public = ("CA_FILE", "CERTIFICATE_FILE")
    return closed(
        **{
            name: {"oneOf": [secret, public]} if name.endswith(is_public) else secret
            for name in names()
            if name.endswith("_FILE") and (of_migrator or name not in MIGRATORS)
        }
    )


def _setting(document: Schema, name: str) -> Schema:
    """The schema of one setting, as pydantic has it."""
    found: Schema = document
    for part in name.removeprefix("BILLING_").lower().split("__"):
        found = _resolved(document, found)["properties"][part]
    return _resolved(document, found)


def _resolved(document: Schema, schema: Schema) -> Schema:
    if "$ref" in schema:
        found: Schema = document["$defs"][schema["$ref"].rpartition("/")[2]]
        return found
    if "anyOf" in schema:  # something, or nothing: who sets nothing leaves it out
        (only,) = [option for option in schema["anyOf"] if option.get("type") != "null"]
        return _resolved(document, only)
    return schema


def _as_text_too(setting: Schema) -> Schema:
    """A variable is text in the end. What has bounds keeps them where it is given as a number."""
    match setting["type"]:
        case "string":
            return {name: value for name, value in setting.items() if name in KEPT}
        case "boolean":
            return {"enum": [True, False, "true", "false"]}
        case "array":  # JSON, as the settings read it
            return {"type": "string", "pattern": r"^\[.*\]$"}
        case "integer" | "number":
            bounds = {name: value for name, value in setting.items() if name in KEPT}
            return bounds | {"type": [setting["type"], "string"], "pattern": "^[0-9.]+$"}
        case other:
            raise TypeError(f"no form for a setting of type {other}")


def main(arguments: Sequence[str], to: Path = SCHEMA) -> int:
    """Write it; with `--check` return 1 if it says something else."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--check", action="store_true")
    text = written(values())
    if options.parse_args(arguments).check:
        if to.exists() and to.read_text("utf-8") == text:
            return 0
        sys.stderr.write(f"{to.name} is not as said: python -m deploy.helm.generate\n")
        return 1
    to.write_text(text, "utf-8")
    return 0


def written(schema: Mapping[str, Any]) -> str:
    """As the file has it."""
    return json.dumps(schema, indent=1) + "\n"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
