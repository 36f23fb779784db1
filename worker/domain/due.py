"""Due work: what time alone brings about. Profiles expire, suspensions begin, projects are told about their payer.

The limits are part of the rules: the same log gives the same bytes.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from worker.domain.accounts import Account
from worker.domain.book import Book, Key
from worker.domain.decision import Occasion
from worker.domain.events import (
    AccountEvent,
    Event,
    PayerAtRisk,
    PayerRestored,
    PaymentProfileReported,
    SuspensionCancelled,
)
from worker.domain.phases import conclude_due
from worker.domain.projects import Project
from worker.domain.values import (
    SYSTEM_ACTOR,
    Instant,
    InvalidCause,
    Origin,
    Phase,
    ProfileStatus,
    Rules,
)

DUE_ACCOUNTS_MAX: Final = 100
"""For how many accounts a command or tick does what is due."""
NOTICES_MAX: Final = 500
"""How many projects are looked at for notices at one command or tick."""
TOMBSTONES_MAX: Final = 500
"""How many deleted projects have their record removed at one command or tick."""


def account_due_at(account: Account) -> Instant | None:
    """When something is due for an account; None if nothing ever is, as things stand."""
    if _is_over(account):
        return None
    due = [suspension.due_at for suspension in account.scheduled]
    if (ends_at := _expires_at(account)) is not None:
        due.append(ends_at)
    if account.notices is not None:
        due.append(account.phase_since)
    return min(due, default=None)


def project_due_at(project: Project, rules: Rules) -> Instant | None:
    """When a deleted project's record is removed from its compacted topic; None if it is not to be, or was."""
    if project.deleted_at is None or project.tombstoned:
        return None
    return project.deleted_at + rules.tombstone_after


def fall_due(book: Book, key: Key, at: Instant, origin: Origin) -> list[Event]:
    """What is due for one account by `at`; yet to be recorded. A pending profile never expires.

    `origin` is that of the command or tick, with the number of events before these as its first index.
    """
    account = book.accounts[key]
    if account is None or _is_over(account):
        return []
    occasion = Occasion(at, SYSTEM_ACTOR, replace(origin, organization=account.organization), book.rules)
    facts = _expiry(account, at)
    begun = []
    for suspension in account.scheduled:
        if suspension.due_at > at:
            continue
        if any(hold.derived and hold.reason is suspension.reason for hold in account.holds):
            facts.append(SuspensionCancelled(account.id, suspension.reason))
        else:
            begun.append(suspension)
    if not facts and not begun:
        return []
    return [*conclude_due(account, facts, begun, book.usage_of(key), occasion)]


def notices(book: Book, key: Key, projects: Sequence[str]) -> list[Event]:
    """What those of the given projects that the account pays for are told about it, if they were not told before."""
    account = book.accounts[key]
    if account is None or account.deleted_at is not None:
        return []
    notice: type[PayerAtRisk | PayerRestored]
    match account.phase:
        case Phase.SUSPENDED:
            notice, is_told = PayerAtRisk, True
        case Phase.READY:
            notice, is_told = PayerRestored, False
        case _:
            return []
    reasons = tuple(dict.fromkeys(hold.reason for hold in account.holds))
    return [
        notice(project.id, account.id, account.phase, reasons, account.phase_since, account.sequence)
        for project in (book.projects[account.organization, id_] for id_ in projects)
        if project is not None and project.open is not None and project.open.account == account.id
        if project.at_risk is not is_told
    ]


def _is_over(account: Account) -> bool:
    return account.deleted_at is not None or account.phase is Phase.ARCHIVED


def _expires_at(account: Account) -> Instant | None:
    return account.serving.valid_until if account.serving is not None and account.serving.is_valid else None


def _expiry(account: Account, at: Instant) -> list[AccountEvent]:
    ends_at = _expires_at(account)
    if account.serving is None or ends_at is None or ends_at > at:
        return []
    expired = replace(account.serving, status=ProfileStatus.INVALID, cause=InvalidCause.EXPIRED)
    return [PaymentProfileReported(account.id, reported=expired, serving=expired, pending=account.pending)]
