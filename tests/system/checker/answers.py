"""E10: an answer for an instant that was final when it was given is the answer ever after."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple


class Question(NamedTuple):
    """Who pays for a project at an instant."""

    organization: str
    project: str
    at: datetime


class Answer(NamedTuple):
    """What was answered, while the lane was complete through an instant; `until` None: still."""

    question: Question
    account: str | None
    binding: str | None
    since: datetime | None
    until: datetime | None
    through: datetime | None


def stand(pairs: Iterable[tuple[Answer, Answer]]) -> Iterator[str]:
    """What was answered during the run, and what is answered to the same question afterwards."""
    for given, now in pairs:
        organization, project, at = given.question
        label = f"{organization}/{project} at {at.isoformat()}"
        if given.through is None or at > given.through:
            yield f"{label} was published as final, but the answer was complete through {given.through} only"
            continue
        if (given.account, given.binding, given.since) != (now.account, now.binding, now.since):
            yield f"{label} was paid by {_payer(given)}, complete through {given.through}; now by {_payer(now)}"
        elif given.until is not None and given.until != now.until:
            yield f"{label}: the binding ended at {given.until}, and now at {now.until}"
        elif given.until is None and now.until is not None and now.until <= given.through:
            yield f"{label}: the binding was open through {given.through}, and now it ended at {now.until}"


def _payer(answer: Answer) -> str:
    return f"{answer.account} ({answer.binding}, since {answer.since})"
