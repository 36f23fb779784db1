"""Whether spans are exported; where, how much and as whom, OpenTelemetry's own variables say."""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from worker.settings import security
from worker.settings.section import PREFIX, Section

_ENABLED = f"{PREFIX}TRACES__ENABLED"
_NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


class Traces(Section):
    """Spans by OpenTelemetry. What else there is to say, its own variables say: `OTEL_…`."""

    enabled: bool = Field(False, description="whether spans are exported, by OTLP over HTTP; needs the extra `traces`")

    @property
    def is_exporting(self) -> bool:
        """Whether they are enabled here and not switched off there."""
        is_off = _said("OTEL_SDK_DISABLED").lower() == "true" or _said("OTEL_TRACES_EXPORTER") == "none"
        return self.enabled and not is_off

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.is_exporting:
            security.refuse(_unfit())
        return self

    def insecure(self) -> str | None:
        """Why nobody should send spans like this, if so."""
        name, endpoint = _first("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
        address = urlsplit(endpoint)
        if not self.is_exporting or address.scheme != "http" or security.is_loopback(address.hostname or ""):
            return None
        return (
            f"{name}: names another machine, and http lets everybody on the way read whose commands there are: set an "
            "https address, or that of a collector on this machine"
        )


def _unfit() -> Iterator[str]:
    """What does not go with exporting: what is not installed, and what is not spoken."""
    if any(not _is_installed(package) for package in _NEEDED):
        yield f"{_ENABLED}: OpenTelemetry is not installed: pip install 'billing-worker[traces]'"
    if (exporter := _said("OTEL_TRACES_EXPORTER")) not in {"", "otlp"}:
        yield f"OTEL_TRACES_EXPORTER: {exporter} is not spoken: otlp is, and none switches off"
    name, protocol = _first("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    if protocol not in {"", "http/protobuf"}:
        yield f"{name}: {protocol} is not spoken: set http/protobuf, which collectors expect at port 4318"


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # not even what it would be in
        return False


def _first(*names: str) -> tuple[str, str]:
    """The first of the variables that says something, and what."""
    return next(((name, said) for name in names if (said := _said(name))), ("", ""))


def _said(name: str) -> str:
    return os.environ.get(name, "").strip()
