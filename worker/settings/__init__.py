"""What a deployment may set: environment variables `BILLING_…`, nested by `__`; unknown ones refuse to start."""

import os
from collections.abc import Mapping
from typing import Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from worker.settings.database import Database
from worker.settings.kafka import Kafka, SecurityProtocol
from worker.settings.section import PREFIX, Section
from worker.settings.sections import (
    Http,
    Lanes,
    Log,
    Publishing,
    PublishingMode,
    Retention,
    RuleSettings,
    Testing,
    Topics,
)
from worker.settings.security import UnfitError, refuse
from worker.settings.traces import Traces

__all__ = [
    "PREFIX",
    "Database",
    "Http",
    "Kafka",
    "Lanes",
    "Log",
    "Publishing",
    "PublishingMode",
    "Retention",
    "RuleSettings",
    "SecurityProtocol",
    "Settings",
    "SettingsError",
    "Testing",
    "Topics",
    "Traces",
    "load",
    "names",
]

ALLOW_INSECURE = f"{PREFIX}ALLOW_INSECURE"

NOT_FOR_THE_WORKER = frozenset({"BILLING_STACK"})
"""Read by the tests and the embedded stack, not by the program."""


class Settings(BaseSettings):
    """Everything that may be set. Frozen: a changed setting takes a new start."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    allow_insecure: bool = Field(
        False, description="whether what goes to other machines may be read and changed by everybody on the way"
    )
    kafka: Kafka = Field(default_factory=Kafka)
    database: Database = Field(default_factory=Database)
    topics: Topics = Field(default_factory=Topics)
    publishing: Publishing = Field(default_factory=Publishing)
    lanes: Lanes = Field(default_factory=Lanes)
    retention: Retention = Field(default_factory=Retention)
    rules: RuleSettings = Field(default_factory=RuleSettings)
    http: Http = Field(default_factory=Http)
    log: Log = Field(default_factory=Log)
    traces: Traces = Field(default_factory=Traces)
    testing: Testing = Field(default_factory=Testing)

    @model_validator(mode="after")
    def _is_secure(self) -> Self:
        ways = (self.kafka.insecure(), self.database.insecure(), self.traces.insecure())
        if not self.allow_insecure:
            refuse(f"{way}, or {ALLOW_INSECURE}=true to take that on yourself" for way in ways if way is not None)
        return self


class SettingsError(Exception):
    """Settings that cannot be worked with; the message names each of them and never their values."""


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings in force. Raises SettingsError naming every unknown or wrong one."""
    problems = [f"{name} is not a setting" for name in environment if not _is_known(name)]
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            if isinstance(unfit := problem.get("ctx", {}).get("error"), UnfitError):
                problems += str(unfit).splitlines()  # names the settings itself
                continue
            name = PREFIX + "__".join(str(part).upper() for part in problem["loc"])
            problems.append(f"{name}: {problem['msg'].removeprefix('Value error, ')}")
        raise SettingsError("\n".join(problems)) from None
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def names() -> list[str]:
    """The environment variables that are settings."""
    found = []
    for name, field in Settings.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            found += [f"{PREFIX}{name}__{setting}".upper() for setting in inner.model_fields]
        else:
            found.append(f"{PREFIX}{name}".upper())
    return found


def _is_known(name: str) -> bool:
    if not name.upper().startswith(PREFIX) or name in NOT_FOR_THE_WORKER:
        return True
    return name.upper() in names()
