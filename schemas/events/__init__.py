"""Every event, and how a subscriber reads one."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, cast

from schemas.envelope import EventEnvelope
from schemas.events.accounts import (
    AccountCreated,
    AccountDeleted,
    AccountUpdated,
    CurrencyChanged,
    PaymentTermsChanged,
    PhaseChanged,
)
from schemas.events.bindings import (
    BindingEstablished,
    BindingLocked,
    BindingReleased,
    BindingSuperseded,
    BindingUnlocked,
    Heir,
)
from schemas.events.event import Event
from schemas.events.holds import HoldPlaced, HoldReleased, SuspensionCancelled, SuspensionScheduled
from schemas.events.profiles import PaymentProfileAttached, PaymentProfileDetached, PaymentProfileReported
from schemas.events.projects import PayerAtRisk, PayerMissing, PayerRestored, ProjectDeleted, ProjectRegistered

ACCOUNT_EVENTS: Final[tuple[type[Event], ...]] = (
    AccountCreated,
    AccountUpdated,
    CurrencyChanged,
    PaymentTermsChanged,
    PaymentProfileAttached,
    PaymentProfileReported,
    PaymentProfileDetached,
    HoldPlaced,
    HoldReleased,
    SuspensionScheduled,
    SuspensionCancelled,
    PhaseChanged,
    AccountDeleted,
)
BINDING_EVENTS: Final[tuple[type[Event], ...]] = (
    ProjectRegistered,
    ProjectDeleted,
    BindingEstablished,
    BindingSuperseded,
    BindingReleased,
    BindingLocked,
    BindingUnlocked,
    PayerAtRisk,
    PayerRestored,
    PayerMissing,
)
EVENTS: Final[dict[str, type[Event]]] = {event.TYPE: event for event in ACCOUNT_EVENTS + BINDING_EVENTS}
"""The model of each event type, in the order of the contract."""


def parse(envelope: Mapping[str, object]) -> EventEnvelope[Event]:
    """Read an event from its envelope; match on the class of its `data`.

    KeyError for a type that is not an event of this release, pydantic's ValidationError for anything else amiss.
    """
    return _reader(str(envelope["type"])).model_validate(envelope)


@lru_cache(maxsize=len(EVENTS))
def _reader(kind: str) -> type[EventEnvelope[Event]]:
    return cast("type[EventEnvelope[Event]]", EventEnvelope.__class_getitem__(EVENTS[kind]))


__all__ = [
    "ACCOUNT_EVENTS",
    "BINDING_EVENTS",
    "EVENTS",
    "AccountCreated",
    "AccountDeleted",
    "AccountUpdated",
    "BindingEstablished",
    "BindingLocked",
    "BindingReleased",
    "BindingSuperseded",
    "BindingUnlocked",
    "CurrencyChanged",
    "Event",
    "Heir",
    "HoldPlaced",
    "HoldReleased",
    "PayerAtRisk",
    "PayerMissing",
    "PayerRestored",
    "PaymentProfileAttached",
    "PaymentProfileDetached",
    "PaymentProfileReported",
    "PaymentTermsChanged",
    "PhaseChanged",
    "ProjectDeleted",
    "ProjectRegistered",
    "SuspensionCancelled",
    "SuspensionScheduled",
    "parse",
]
