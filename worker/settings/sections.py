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

    commands: TopicName = Field("billing.commands", description="account and binding commands")
    account_events: TopicName = Field("billing.account-events", description="what happened to accounts")
    binding_events: TopicName = Field("billing.binding-events", description="what happened to projects and bindings")
    command_results: TopicName = Field("billing.command-results", description="one result for each command")
    accounts: TopicName = Field("billing.accounts", description="each account as it stands, compacted")
    payers: TopicName = Field("billing.payers", description="who pays for each project, compacted")
    horizons: TopicName = Field("billing.horizons", description="through which instant answers are complete, compacted")
    dead_letters: TopicName = Field("billing.dead-letters", description="what could not be read, as it came")
    partitions: int = Field(12, ge=1, le=1_000, description="of each topic that `topics apply` makes")
    commands_partitions: int | None = Field(
        None, ge=1, le=1_000, description="of the topic of commands, where a cut-over added some"
    )
    commands_retention_days: Days = Field(30, description="how long the topic of commands keeps them")
    command_results_retention_days: Days = Field(30, description="how long results are kept; at least as commands")
    dead_letters_retention_days: Days = Field(30, description="how long dead letters are kept")
    record_bytes_max: int = Field(1_000_000, ge=16_384, le=64_000_000, description="largest that an output takes")


class Retention(Section):
    """How long the database keeps what is not history. Used ids are remembered as long as commands, 30 days at least.

    Without `journal_days` the journal is kept for ever: it is what `republish` brings lost topics back from.
    """

    journal_days: Days | None = Field(
        None, description="how long the journal keeps what was published; for ever without it"
    )
    sweep_seconds: float = Field(600, gt=0, le=86_400, description="between two looks for what is too old")


class Publishing(Section):
    """How events leave."""

    mode: PublishingMode = Field(PublishingMode.EXACTLY_ONCE, description="what a subscriber may see twice")
    source: str = Field("billing-worker", min_length=1, max_length=512, description="CloudEvents `source`")
    transaction_seconds_max: float = Field(
        20, ge=1, le=600, description="how long one Kafka transaction may take before it is given up and done anew"
    )


class Lanes(Section):
    """How a lane works."""

    batch_records_max: int = Field(500, ge=1, le=10_000, description="commands decided in one transaction")
    batch_bytes_max: int = Field(
        4 * 1024 * 1024, ge=1_024, le=256 * 1024 * 1024, description="bytes of commands in one transaction"
    )
    batches_max: int = Field(4, ge=1, le=1_000, description="batches in memory, of all lanes together")
    queue_records_max: int = Field(500, ge=10, le=100_000, description="commands that wait in memory, of each lane")
    queue_bytes_max: int = Field(
        8 * 1024 * 1024, ge=1_024, le=1024 * 1024 * 1024, description="bytes that wait in memory, of each lane"
    )
    command_bytes_max: int = Field(
        512 * 1024, ge=1_024, le=16_000_000, description="largest command that is read; a larger one is a dead letter"
    )
    poll_ms: int = Field(5, ge=1, le=1_000, description="how long to wait for more commands before a batch begins")
    tick_seconds: float = Field(10, gt=0, le=3_600, description="between ticks of an idle lane: how late horizons are")
    stall_seconds_max: float = Field(
        120, gt=0, le=3_600, description="a lane that stands still so long ends the process"
    )
    take_over_seconds_max: float = Field(60, gt=0, le=3_600, description="before a take-over is begun anew")
    clock_ahead_seconds_max: float = Field(
        300,
        gt=0,
        le=86_400,
        description="how far commands may be stamped past the database's clock; else the lane stops",
    )
    drain_seconds_max: float = Field(
        5, gt=0, le=300, description="how long a lane that is given away may finish what is under way"
    )
    backoff_seconds_max: float = Field(15, gt=0, le=300, description="longest pause between two tries")


class RuleSettings(Section):
    """The rules that a deployment may set."""

    payment_profile_required: bool = Field(True, description="whether an account needs a Valid profile to be Ready")
    project_registry: Literal["open", "strict"] = Field(
        "open", description="whether a bind registers its project, or must find it registered"
    )
    suspension_notice_seconds: int = Field(
        86_400, ge=0, le=365 * 86_400, description="least time between announcing a suspension and its beginning"
    )
    move_projects_max: int = Field(5_000, ge=1, le=5_000, description="projects that one command moves at the most")
    approval_not_needed_for: frozenset[HoldReason] = Field(
        frozenset(), description="reasons whose holds are released without somebody else's approval"
    )
    tombstone_after_seconds: int = Field(
        30 * 86_400, ge=0, le=3_650 * 86_400, description="after a project's deletion, until its payer record goes"
    )

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

    host: str = Field("127.0.0.1", description="the address to listen at")
    port: int = Field(8080, ge=0, le=65_535, description="the port; 0 takes a free one")


class Log(Section):
    """What is logged, and for whom."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="the least that is logged")
    format: Literal["auto", "json", "console"] = Field(
        "auto", description="JSON lines, or for people; `auto`: for people on a terminal"
    )


class Testing(Section):
    """For tests alone: places where the process dies or stalls."""

    failpoints: dict[str, str] = Field(default_factory=dict, description="places, and what happens there, as kill@3")
