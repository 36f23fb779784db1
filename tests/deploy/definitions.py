"""What the operators' own kinds of resources look like, as far as the chart uses them: nothing else is allowed.

Kubernetes' own kinds have their schemas in `kubernetes-validate`. These follow the definitions of KEDA 2
(ScaledObject, TriggerAuthentication) and of the Prometheus operator (PodMonitor, PrometheusRule).
"""

from typing import Any, Final

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string", "minLength": 1}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
TEXTS: Final[Schema] = {"type": "object", "additionalProperties": TEXT}
DURATION: Final[Schema] = {"type": "string", "pattern": "^([0-9]+(ms|[smhdwy]))+$"}


def closed(required: str = "", **properties: Schema) -> Schema:
    """An object with these properties and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
        "minProperties": 1,
    }


def several(item: Schema) -> Schema:
    """A list that is not empty."""
    return {"type": "array", "items": item, "minItems": 1}


def kind(api: str, name: str, spec: Schema) -> Schema:
    """A resource of a kind."""
    metadata = closed("name", name=TEXT, labels=TEXTS, annotations=TEXTS)
    made = closed("apiVersion kind metadata spec", apiVersion={"const": api}, kind={"const": name}, spec=spec)
    made["properties"]["metadata"] = metadata
    return made


_POLICY = closed(
    "type value periodSeconds",
    type={"enum": ["Pods", "Percent"]},
    value={"type": "integer", "minimum": 1},
    periodSeconds={"type": "integer", "minimum": 1, "maximum": 1800},
)
_SCALING = closed(
    stabilizationWindowSeconds={"type": "integer", "minimum": 0, "maximum": 3600},
    selectPolicy={"enum": ["Max", "Min", "Disabled"]},
    policies=several(_POLICY),
)
_KAFKA = closed(
    "bootstrapServers consumerGroup topic",
    bootstrapServers=TEXT,
    consumerGroup=TEXT,
    topic=TEXT,
    lagThreshold={"type": "string", "pattern": "^[0-9]+$"},
    offsetResetPolicy={"enum": ["latest", "earliest"]},
    allowIdleConsumers={"enum": ["true", "false"]},
    version={"type": "string", "pattern": r"^[0-9]+\.[0-9]+\.[0-9]+$"},
    sasl={"enum": ["plaintext", "scram_sha256", "scram_sha512"]},
    tls={"enum": ["enable", "disable"]},
)
_REFERENCE = closed("parameter name key", parameter=TEXT, name=TEXT, key=TEXT)
_RULE = closed("alert expr", **{"alert": TEXT, "expr": TEXT, "for": DURATION, "labels": TEXTS, "annotations": TEXTS})

DEFINITIONS: Final = {
    "ScaledObject": kind(
        "keda.sh/v1alpha1",
        "ScaledObject",
        closed(
            "scaleTargetRef triggers",
            scaleTargetRef=closed("name", name=TEXT, envSourceContainerName=TEXT),
            minReplicaCount={"type": "integer", "minimum": 1},  # KEDA allows zero, and the worker does not
            maxReplicaCount={"type": "integer", "minimum": 1},
            pollingInterval=COUNT,
            fallback=closed("failureThreshold replicas", failureThreshold=COUNT, replicas=COUNT),
            advanced=closed(
                horizontalPodAutoscalerConfig=closed(behavior=closed(scaleUp=_SCALING, scaleDown=_SCALING))
            ),
            triggers=several(
                closed(
                    "type metadata",
                    type={"const": "kafka"},
                    metadata=_KAFKA,
                    authenticationRef=closed("name", name=TEXT),
                )
            ),
        ),
    ),
    "TriggerAuthentication": kind(
        "keda.sh/v1alpha1",
        "TriggerAuthentication",
        closed(
            env=several(closed("parameter name", parameter=TEXT, name=TEXT, containerName=TEXT)),
            secretTargetRef=several(_REFERENCE),
            configMapTargetRef=several(_REFERENCE),
        ),
    ),
    "PodMonitor": kind(
        "monitoring.coreos.com/v1",
        "PodMonitor",
        closed(
            "selector podMetricsEndpoints",
            selector=closed("matchLabels", matchLabels=TEXTS),
            podMetricsEndpoints=several(closed(port=TEXT, path=TEXT, interval=DURATION)),
        ),
    ),
    "PrometheusRule": kind(
        "monitoring.coreos.com/v1",
        "PrometheusRule",
        closed("groups", groups=several(closed("name rules", name=TEXT, rules=several(_RULE)))),
    ),
}
