"""Counting what batches bring about: each figure once a batch, for counting must cost a command nothing to speak of."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from worker import metrics
from worker.domain.book import Recorded
from worker.domain.events import BindingEstablished, BindingReleased, PayerMissing, ProjectDeleted
from worker.domain.values import BindingEnd
from worker.wire.events import FORMS

_WORDS: Final = {kind: form.type.removeprefix("billing.").removesuffix(".v1") for kind, form in FORMS.items()}
_EVENTS: Final = {kind: metrics.EVENTS.labels(word) for kind, word in _WORDS.items()}
_OF_PAYERS: Final = frozenset({PayerMissing, BindingEstablished, ProjectDeleted})

_BOUND_AT_FIRST: Final = 2
"""The sequence of a first binding that registered its project: nobody missed a payer before it."""


def count_events(recorded: Sequence[Recorded]) -> None:
    """Count the events of a batch by their types, and the projects that lost their last payer or found one."""
    kinds = Counter([type(entry.event) for entry in recorded])
    for kind, count in kinds.items():
        _EVENTS[kind].inc(count)
    if not _OF_PAYERS.isdisjoint(kinds):
        _count_payers(recorded)


def _count_payers(recorded: Sequence[Recorded]) -> None:
    ended = 0
    leaves: str | None = None
    for entry in recorded:
        event = entry.event
        left, leaves = leaves, None
        if isinstance(event, BindingEstablished):
            ended += event.supersedes is None and entry.sequence > _BOUND_AT_FIRST
        elif isinstance(event, PayerMissing):
            metrics.PAYERS_MISSING.labels(event.reason).inc()
        elif isinstance(event, BindingReleased):
            leaves = event.project if event.end is BindingEnd.PROJECT_DELETED else None
        elif isinstance(event, ProjectDeleted):
            ended += entry.sequence > 1 and left != event.project
    if ended:
        metrics.PAYERS_MISSING_ENDED.inc(ended)
