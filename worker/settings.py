"""What a deployment may set: environment variables `BILLING_…`, nested by `__`; unknown ones refuse to start."""

import os
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from worker.domain.values import HoldReason, Rules

PREFIX = "BILLING_"

NOT_FOR_THE_WORKER = frozenset({"BILLING_STACK"})
"""Read by the tests and the embedded stack, not by the program."""

TopicName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
Days = Annotated[int, Field(ge=1, le=36_500)]


class PublishingMode(StrEnum):
    """What a subscriber may see twice: nothing, or the same record again."""

    EXACTLY_ONCE = "exactly-once"
    AT_LEAST_ONCE = "at-least-once"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Kafka(_Section):
    """Where the topics are."""

    bootstrap_servers: str = Field("localhost:9092", min_length=1, max_length=4_096)
    group_id: str = Field("billing-worker", min_length=1, max_length=249)
    client_id: str = Field("billing-worker", min_length=1, max_length=249)
    session_timeout_ms: int = Field(10_000, ge=1_000, le=300_000)
    request_timeout_ms: int = Field(15_000, ge=1_000, le=300_000)
    transaction_timeout_ms: int = Field(30_000, ge=5_000, le=900_000)
    replication_factor: int = Field(1, ge=1, le=15, description="of topics made by `topics apply`")


class Database(_Section):
    """Where the state is. `owner_url` is for `migrate`: a role that may change the schema; `url` may not."""

    url: str = Field("postgresql+asyncpg://billing@localhost:5432/billing", repr=False)
    owner_url: str | None = Field(None, repr=False)
    pool_size: int = Field(16, ge=2, le=200)
    command_timeout_seconds: float = Field(30, ge=1, le=600)
    idle_in_transaction_seconds_max: float = Field(10, ge=1, le=600)

    @field_validator("url", "owner_url")
    @classmethod
    def _speaks_asyncpg(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith("postgresql+asyncpg://"):
            raise ValueError("must start with postgresql+asyncpg://")
        return url


class Topics(_Section):
    """Names of the topics, their partitions, and how long they keep records."""

    commands: TopicName = "billing.commands"
    account_events: TopicName = "billing.account-events"
    binding_events: TopicName = "billing.binding-events"
    command_results: TopicName = "billing.command-results"
    accounts: TopicName = "billing.accounts"
    payers: TopicName = "billing.payers"
    horizons: TopicName = "billing.horizons"
    dead_letters: TopicName = "billing.dead-letters"
    partitions: int = Field(12, ge=1, le=1_000)
    commands_partitions: int | None = Field(
        None, ge=1, le=1_000, description="of the topic of commands, where a cut-over added some"
    )
    commands_retention_days: Days = 30
    command_results_retention_days: Days = 30
    dead_letters_retention_days: Days = 30
    record_bytes_max: int = Field(1_000_000, ge=16_384, le=64_000_000, description="largest that an output takes")


class Publishing(_Section):
    """How events leave."""

    mode: PublishingMode = PublishingMode.EXACTLY_ONCE
    source: str = Field("billing-worker", min_length=1, max_length=512, description="CloudEvents `source`")
    transaction_seconds_max: float = Field(20, ge=1, le=600)


class Lanes(_Section):
    """How a lane works."""

    batch_records_max: int = Field(500, ge=1, le=10_000)
    batch_bytes_max: int = Field(4 * 1024 * 1024, ge=1_024, le=256 * 1024 * 1024)
    queue_records_max: int = Field(2_000, ge=10, le=100_000)
    queue_bytes_max: int = Field(8 * 1024 * 1024, ge=1_024, le=1024 * 1024 * 1024)
    command_bytes_max: int = Field(512 * 1024, ge=1_024, le=16_000_000)
    poll_ms: int = Field(5, ge=1, le=1_000)
    tick_seconds: float = Field(10, gt=0, le=3_600)
    stall_seconds_max: float = Field(
        120, gt=0, le=3_600, description="a lane that stands still so long ends the process"
    )
    take_over_seconds_max: float = Field(60, gt=0, le=3_600)
    clock_ahead_seconds_max: float = Field(300, gt=0, le=86_400)
    drain_seconds_max: float = Field(5, gt=0, le=300)
    backoff_seconds_max: float = Field(15, gt=0, le=300)


class RuleSettings(_Section):
    """The rules that a deployment may set."""

    payment_profile_required: bool = True
    project_registry: Literal["open", "strict"] = "open"
    suspension_notice_seconds: int = Field(86_400, ge=0, le=365 * 86_400)
    move_projects_max: int = Field(5_000, ge=1, le=5_000)
    approval_not_needed_for: frozenset[HoldReason] = frozenset()
    tombstone_after_seconds: int = Field(30 * 86_400, ge=0, le=3_650 * 86_400)

    def as_rules(self) -> Rules:
        """The rules as the domain takes them."""
        return Rules(
            payment_profile_required=self.payment_profile_required,
            strict_registry=self.project_registry == "strict",
            suspension_notice=timedelta(seconds=self.suspension_notice_seconds),
            move_projects_max=self.move_projects_max,
            approval_not_needed_for=self.approval_not_needed_for,
            tombstone_after=timedelta(seconds=self.tombstone_after_seconds),
        )


class Http(_Section):
    """Where `/livez`, `/readyz` and `/metrics` are served. Port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65_535)


class Log(_Section):
    """What is logged, and for whom."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class Testing(_Section):
    """For tests alone: places where the process dies or stalls."""

    failpoints: dict[str, str] = Field(default_factory=dict)


class Settings(BaseSettings):
    """Everything that may be set. Frozen: a changed setting takes a new start."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    kafka: Kafka = Field(default_factory=Kafka)
    database: Database = Field(default_factory=Database)
    topics: Topics = Field(default_factory=Topics)
    publishing: Publishing = Field(default_factory=Publishing)
    lanes: Lanes = Field(default_factory=Lanes)
    rules: RuleSettings = Field(default_factory=RuleSettings)
    http: Http = Field(default_factory=Http)
    log: Log = Field(default_factory=Log)
    testing: Testing = Field(default_factory=Testing)


class SettingsError(Exception):
    """Settings that cannot be worked with; the message names each of them and never their values."""


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings in force. Raises SettingsError naming every unknown or wrong one."""
    problems = [f"{name} is not a setting" for name in environment if not _is_known(name)]
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False, include_context=False):
            name = PREFIX + "__".join(str(part).upper() for part in problem["loc"])
            problems.append(f"{name}: {problem['msg']}")
        raise SettingsError("\n".join(problems)) from None
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def names() -> list[str]:
    """The environment variables that are settings."""
    found = []
    for section, field in Settings.model_fields.items():
        section_type = field.annotation
        assert isinstance(section_type, type)  # noqa: S101 - for the type checker
        assert issubclass(section_type, BaseModel)  # noqa: S101
        found += [f"{PREFIX}{section}__{name}".upper() for name in section_type.model_fields]
    return found


def _is_known(name: str) -> bool:
    if not name.upper().startswith(PREFIX) or name in NOT_FOR_THE_WORKER:
        return True
    return name.upper() in names()
