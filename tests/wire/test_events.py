"""Events are written as the contract says, to the letter."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args
from uuid import NAMESPACE_URL, uuid5

import pytest
from hypothesis import given

from schemas import events as schemas
from schemas.envelope import EventEnvelope, ResultEnvelope, dataschema
from schemas.results import CommandRejected
from schemas.state import AccountState, PayerState
from tests.domain.histories import History, everything, histories, law, tell
from tests.wire.given import (
    ACCOUNT,
    AT,
    AT_WRITTEN,
    ESTABLISHED,
    HOLD,
    INSTALLATION,
    NEW,
    OLD,
    PROJECT,
    REGISTERED,
    TRACEPARENT,
    WRITER,
    cause,
    event,
    written,
)
from worker.domain.book import Recorded
from worker.domain.decision import Rejected
from worker.domain.events import (
    BindingEstablished,
    BindingLocked,
    BindingSuperseded,
    BindingUnlocked,
    Event,
    HoldReleased,
    PayerAtRisk,
    PayerMissing,
    PayerRestored,
    PhaseChanged,
    ProjectDeleted,
    ProjectEvent,
    SuspensionCancelled,
    SuspensionScheduled,
)
from worker.domain.values import (
    Approval,
    HoldReason,
    Origin,
    Phase,
    Position,
    ScheduledSuspension,
    Settlement,
    Unpaid,
    derive_id,
)
from worker.wire.events import FORMS
from worker.wire.outgoing import Topic


def test_an_event_has_every_attribute_of_the_contract() -> None:
    record = event(ESTABLISHED, 4).record

    assert written(record) == {
        "specversion": "1.0",
        "id": Origin(INSTALLATION, "acme", "command-1", Position("billing.commands", 3, 42)).event_id(4),
        "source": "/billing",
        "type": "billing.binding.established.v1",
        "subject": "projects/acme/website",
        "time": AT_WRITTEN,
        "datacontenttype": "application/json",
        "dataschema": dataschema("billing.binding.established.v1"),
        "organization": "acme",
        "actor": "user:anna",
        "causationid": "command-1",
        "correlationid": "correlation-1",
        "sequence": 2,
        "commandposition": "billing.commands/3/42/4",
        "traceparent": TRACEPARENT,
        "data": {
            "binding": NEW,
            "project": "website",
            "account": "main",
            "since": AT_WRITTEN,
            "currency": "EUR",
            "accountSequence": 3,
        },
    }
    assert (record.topic, record.key, record.timestamp_ms) == (Topic.BINDING_EVENTS, b"acme/website", 1795341600123)
    assert dict(record.headers) == {
        "content-type": b"application/cloudevents+json",
        "ce_id": written(record)["id"].encode(),
        "ce_type": b"billing.binding.established.v1",
        "ce_subject": b"projects/acme/website",
    }


def test_attributes_that_are_not_there_are_left_out() -> None:
    bare = replace(cause(actor=None), traceparent=None)
    envelope = written(WRITER.event(bare, REGISTERED, 0).record)

    assert not {"actor", "traceparent"} & envelope.keys()


def test_a_microsecond_of_zero_is_written_out() -> None:
    sharp = cause(at=AT.replace(microsecond=0))

    assert written(WRITER.event(sharp, REGISTERED, 0).record)["time"] == "2026-11-22T10:00:00.000000Z"


def test_due_work_is_the_workers_own_and_may_be_for_another_organization() -> None:
    envelope = written(WRITER.event(cause().by_itself(), replace(REGISTERED, organization="globex"), 0).record)

    assert (envelope["actor"], envelope["organization"]) == ("system:billing-worker", "globex")
    assert (envelope["subject"], envelope["causationid"]) == ("projects/globex/website", "command-1")
    assert envelope["id"] != event(REGISTERED).id
    assert envelope["correlationid"] == "command-1"
    assert "traceparent" not in envelope


def test_every_event_of_the_rules_has_a_form() -> None:
    assert set(FORMS) == set(get_args(Event))
    assert {form.type for form in FORMS.values()} == set(schemas.EVENTS)


@law
@given(histories())
def test_whatever_happens_is_written_as_its_model_says(history: History) -> None:
    steps = tell(history)
    for recorded in everything(steps):
        envelope = written(event(recorded).record)
        read = schemas.parse(envelope)
        assert read.data.as_json() == envelope["data"]
        assert read.sequence == recorded.sequence
    for step in steps:
        if isinstance(step.decision, Rejected):
            ResultEnvelope[CommandRejected].model_validate(
                written(WRITER.rejected(cause(), step.decision.refusals, 0).record)
            )
    for step in steps[-1:]:
        for account in filter(None, step.after.accounts.values()):
            EventEnvelope[AccountState].model_validate(written(WRITER.account_state(cause(), account, 0)))
        for project in filter(None, step.after.projects.values()):
            EventEnvelope[PayerState].model_validate(written(WRITER.payer_state(cause(), project, 0)))


def test_at_creation_no_phase_is_left() -> None:
    created = PhaseChanged("main", None, Phase.PROVISIONING, None, AT, "CREATED", (), 0, None, "EUR")
    data = written(event(Recorded("acme", created, 2, AT)).record)["data"]

    assert (data["from"], data["to"], data["since"], data["at"]) == (None, "Provisioning", None, AT_WRITTEN)
    assert not {"settlement", "approval"} & data.keys()


def test_a_closed_phase_tells_its_settlement_and_approval() -> None:
    closed = PhaseChanged(
        *("main", Phase.READY, Phase.ARCHIVED, AT, AT, "CLOSED", (HOLD,), 0, AT, "EUR"),
        settlement=Settlement("S-1", AT),
        approval=Approval("user:boss", "T-1"),
    )
    data = written(event(Recorded("acme", closed, 2, AT)).record)["data"]

    assert data["settlement"] == {"reference": "S-1", "settledThrough": AT_WRITTEN}
    assert data["approval"] == {"by": "user:boss", "reference": "T-1"}
    schemas.PhaseChanged.model_validate(data)


def test_a_release_is_automatic_or_approved() -> None:
    approved = HoldReleased("main", HOLD, "user:anna", Approval("user:boss", "T-1"))
    automatic = HoldReleased("main", HOLD, "system:billing-worker", automatic=True)

    assert written(event(Recorded("acme", approved, 2, AT)).record)["data"] == {
        "hold": "h-1",
        "releasedBy": "user:anna",
        "approval": {"by": "user:boss", "reference": "T-1"},
    }
    assert written(event(Recorded("acme", automatic, 2, AT)).record)["data"] == {
        "hold": "h-1",
        "releasedBy": "system:billing-worker",
        "automatic": True,
    }


SUSPENSION = ScheduledSuspension(HoldReason.NON_PAYMENT, AT + timedelta(days=1), "Please pay.", None, AT)


@pytest.mark.parametrize(
    ("happened", "kind", "data"),
    [
        (
            SuspensionScheduled("main", SUSPENSION),
            "account.suspension-scheduled",
            {
                "account": "main",
                "reason": "NON_PAYMENT",
                "dueAt": "2026-11-23T10:00:00.123456Z",
                "message": "Please pay.",
                "scheduledBy": None,
                "scheduledAt": AT_WRITTEN,
            },
        ),
        (
            SuspensionCancelled("main", HoldReason.NON_PAYMENT),
            "account.suspension-cancelled",
            {"account": "main", "reason": "NON_PAYMENT"},
        ),
        (ProjectDeleted("website"), "project.deleted", {"project": "website"}),
        (
            BindingLocked(NEW, "website", "main", "Audit."),
            "binding.locked",
            {"binding": NEW, "project": "website", "account": "main", "note": "Audit."},
        ),
        (
            BindingUnlocked(NEW, "website", "main", "Done."),
            "binding.unlocked",
            {"binding": NEW, "project": "website", "account": "main", "note": "Done."},
        ),
        (
            PayerAtRisk("website", "main", Phase.SUSPENDED, (HoldReason.NON_PAYMENT, HoldReason.ADMINISTRATIVE), AT, 7),
            "project.payer-at-risk",
            {
                "account": "main",
                "phase": "Suspended",
                "reasons": ["NON_PAYMENT", "ADMINISTRATIVE"],
                "since": AT_WRITTEN,
                "accountSequence": 7,
            },
        ),
        (
            PayerRestored("website", "main", Phase.READY, (), AT, 9),
            "project.payer-restored",
            {"account": "main", "phase": "Ready", "reasons": [], "since": AT_WRITTEN, "accountSequence": 9},
        ),
        *(
            (
                PayerMissing("website", AT, why),
                "project.payer-missing",
                {"project": "website", "since": AT_WRITTEN, "reason": why.value},
            )
            for why in Unpaid
        ),
    ],
)
def test_an_event_is_written_with_its_type_subject_and_data(
    happened: Event, kind: str, data: Mapping[str, Any]
) -> None:
    envelope = written(event(Recorded("acme", happened, 5, AT)).record)

    schemas.parse(envelope)
    assert (envelope["type"], envelope["data"]) == (f"billing.{kind}.v1", data)
    is_of_a_project = isinstance(happened, ProjectEvent)
    assert envelope["subject"] == ("projects/acme/website" if is_of_a_project else "accounts/acme/main")


def test_superseded_until_is_established_since_to_the_letter() -> None:
    superseded = BindingSuperseded(OLD, "website", "old", AT, AT, NEW, "main", "USD")
    established = BindingEstablished(NEW, "website", "main", AT, "EUR", 3, OLD, "old", "USD")
    ended = written(event(Recorded("acme", superseded, 3, AT)).record)["data"]
    began = written(event(Recorded("acme", established, 4, AT)).record)["data"]

    assert ended["until"] == began["since"] == AT_WRITTEN
    assert ended["supersededBy"] == {"binding": NEW, "account": "main"}
    assert (began["supersedes"], began["previousAccount"], began["previousCurrency"]) == (OLD, "old", "USD")


def test_ids_are_uuids_of_version_five() -> None:
    assert derive_id(NAMESPACE_URL, "https://example.org/a") == str(uuid5(NAMESPACE_URL, "https://example.org/a"))


def test_every_record_of_a_command_has_an_id_of_its_own_and_the_same_again() -> None:
    def ids() -> list[str]:
        events = [event(REGISTERED, 0), event(ESTABLISHED, 1)]
        records = [
            *(e.record for e in events),
            WRITER.accepted(cause(), events, 3, 2).record,
            WRITER.payer_state(cause(), PROJECT, 3),
            WRITER.account_state(cause(), ACCOUNT, 4),
        ]
        return [written(record)["id"] for record in records]

    assert len(set(ids())) == 5
    assert ids() == ids()
