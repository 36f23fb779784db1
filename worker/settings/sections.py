"""The sections of settings that are not about reaching other machines."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from worker.domain.values import HoldReason, Rules
from worker.settings.section import Section

TopicName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
Days = Annotated[int, Field(ge=1, le=36_500)]


class PublishingMode(StrEnum):
    """What a subscriber may see twice: nothing, or the same record again."""

    EXACTLY_ONCE = "exactly-once"
    AT_LEAST_ONCE = "at-least-once"


class Topics(Section):
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


class Retention(Section):
    """How long the database keeps what is not history. Used ids are remembered as long as commands, 30 days at least.

    Without `journal_days` the journal is kept for ever: it is what `republish` brings lost topics back from.
    """

    journal_days: Days | None = None
    sweep_seconds: float = Field(600, gt=0, le=86_400)


class Publishing(Section):
    """How events leave."""

    mode: PublishingMode = PublishingMode.EXACTLY_ONCE
    source: str = Field("billing-worker", min_length=1, max_length=512, description="CloudEvents `source`")
    transaction_seconds_max: float = Field(20, ge=1, le=600)


class Lanes(Section):
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


class RuleSettings(Section):
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


class Http(Section):
    """Where `/livez`, `/readyz` and `/metrics` are served. Port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65_535)


class Log(Section):
    """What is logged, and for whom."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class Testing(Section):
    """For tests alone: places where the process dies or stalls."""

    failpoints: dict[str, str] = Field(default_factory=dict)
