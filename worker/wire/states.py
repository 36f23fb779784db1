"""The data of the compacted topics: everything about one account or project as it stands."""

from functools import lru_cache

from orjson import Fragment, dumps

from worker.domain.accounts import Account
from worker.domain.projects import Project
from worker.domain.values import Interval
from worker.wire import parts
from worker.wire.parts import Json, instant

_CACHED_INTERVALS_MAX = 16_384


def account_state(account: Account) -> Json:
    """The whole account."""
    state: Json = {
        "organization": account.organization,
        "account": account.id,
        "sequence": account.sequence,
        "phase": account.phase.value,
        "phaseSince": instant(account.phase_since),
        "activatedAt": parts.maybe_instant(account.activated_at),
        "currency": account.currency,
        "paymentTerms": parts.terms(account.terms),
        "contact": parts.contact(account.contact),
        "displayName": account.display_name,
        "paymentProfiles": parts.profiles(account.serving, account.pending),
        "holds": [parts.hold(hold) for hold in account.holds],
        "scheduled": [parts.scheduled(suspension) for suspension in account.scheduled],
        "labels": parts.labels(account.labels),
    }
    if account.deleted_at is not None:
        state["deletedAt"] = instant(account.deleted_at)
    return state


def payer_state(project: Project) -> Json:
    """Who pays now, and the timeline: oldest first, the open interval last."""
    payer = None
    timeline: list[Json | Fragment] = [_closed(interval) for interval in project.closed]
    if (binding := project.open) is not None:
        since = instant(binding.since)
        payer = {
            "binding": binding.id,
            "account": binding.account,
            "since": since,
            "currency": binding.currency,
        }
        timeline.append({**payer, "until": None, "reason": None})
    state: Json = {
        "organization": project.organization,
        "project": project.id,
        "sequence": project.sequence,
        "payer": payer,
        "locked": project.locked,
    }
    if project.deleted_at is not None:
        state["deletedAt"] = instant(project.deleted_at)
    state["timeline"] = timeline
    state["timelineSince"] = instant(project.closed_since)
    return state


@lru_cache(maxsize=_CACHED_INTERVALS_MAX)
def _closed(interval: Interval) -> Fragment:
    """A closed interval never changes, and stands in up to 200 states of its project."""
    written = dumps(
        {
            "binding": interval.binding,
            "account": interval.account,
            "since": instant(interval.since),
            "currency": interval.currency,
            "until": instant(interval.until),
            "reason": interval.end.value,
        }
    )
    return Fragment(bytes(memoryview(written)))  # what orjson returns keeps 4 KiB as long as it lives
