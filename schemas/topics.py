"""The eight topics: default names, keys, policies, and what each carries."""

from dataclasses import dataclass
from typing import Final, Literal

from schemas.commands import COMMANDS
from schemas.events import ACCOUNT_EVENTS, BINDING_EVENTS
from schemas.results import RESULTS
from schemas.state import AccountState, Horizon, PayerState

PARTITIONS_DEFAULT: Final = 12
DEAD_LETTER_HEADERS: Final = (
    "billing-reason",
    "billing-detail",
    "billing-topic",
    "billing-partition",
    "billing-offset",
    "billing-timestamp",
)
"""Added to a dead letter, behind the headers that it came with."""
DEAD_LETTER_DETAIL_BYTES_MAX: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic as it is by default; `setting` is its name within `BILLING_TOPICS__…`, in lower case."""

    setting: str
    name: str
    key: str
    policy: Literal["delete", "compact"]
    retention_days: int | None = None  # None: unlimited
    carries: tuple[str, ...]  # message types; none for records that stay as they came
    purpose: str


TOPICS: Final[tuple[Topic, ...]] = (
    Topic(
        setting="commands",
        name="billing.commands",
        key="organization",
        policy="delete",
        retention_days=30,
        carries=tuple(COMMANDS),
        purpose="Account and binding commands, in one order for each organization. Needs LogAppendTime.",
    ),
    Topic(
        setting="account_events",
        name="billing.account-events",
        key="organization/account",
        policy="delete",
        carries=tuple(event.TYPE for event in ACCOUNT_EVENTS),
        purpose="What happened to accounts.",
    ),
    Topic(
        setting="binding_events",
        name="billing.binding-events",
        key="organization/project",
        policy="delete",
        carries=tuple(event.TYPE for event in BINDING_EVENTS),
        purpose="What happened to projects and bindings, and notices.",
    ),
    Topic(
        setting="command_results",
        name="billing.command-results",
        key="organization",
        policy="delete",
        retention_days=30,
        carries=tuple(RESULTS),
        purpose="One result for each command; kept at least as long as commands.",
    ),
    Topic(
        setting="accounts",
        name="billing.accounts",
        key="organization/account",
        policy="compact",
        carries=(AccountState.TYPE,),
        purpose="The whole account as it stands.",
    ),
    Topic(
        setting="payers",
        name="billing.payers",
        key="organization/project",
        policy="compact",
        carries=(PayerState.TYPE,),
        purpose="Who pays now, since when, and the timeline.",
    ),
    Topic(
        setting="horizons",
        name="billing.horizons",
        key="topic/partition",
        policy="compact",
        carries=(Horizon.TYPE,),
        purpose="Through which instant answers are complete, for each partition of commands.",
    ),
    Topic(
        setting="dead_letters",
        name="billing.dead-letters",
        key="as it came",
        policy="delete",
        retention_days=30,
        carries=(),
        purpose="Unreadable records, as they came, with headers that say why.",
    ),
)
