"""The compacted topics: whole accounts, who pays, and how far a partition has come."""

import json
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from schemas.envelope import EventEnvelope, HorizonEnvelope
from schemas.state import AccountState, PayerState
from schemas.state import Horizon as HorizonState
from tests.wire.given import (
    ACCOUNT,
    AT,
    AT_WRITTEN,
    INSTALLATION,
    NEW,
    OLD,
    PROJECT,
    WRITER,
    cause,
    written,
)
from worker.domain.projects import CLOSED_INTERVALS_MAX
from worker.domain.values import (
    BindingEnd,
    Interval,
    NoticeKind,
    Notices,
)
from worker.wire.horizons import Horizon, read_horizon
from worker.wire.outgoing import Topic


def test_a_whole_account_is_written() -> None:
    record = WRITER.account_state(cause(), ACCOUNT, 1)
    envelope = written(record)

    EventEnvelope[AccountState].model_validate(envelope)
    assert (record.topic, record.key, envelope["sequence"]) == (Topic.ACCOUNTS, b"acme/main", 9)
    assert envelope["data"]["deletedAt"] == AT_WRITTEN
    assert "deletedAt" not in written(WRITER.account_state(cause(), replace(ACCOUNT, deleted_at=None), 1))["data"]


def test_what_is_scheduled_is_written_and_what_is_owed_to_projects_is_not() -> None:
    owing = replace(ACCOUNT, notices=Notices(NoticeKind.AT_RISK, after="website"))
    data = written(WRITER.account_state(cause(), owing, 1))["data"]

    assert data["scheduled"] == [
        {
            "reason": "NON_PAYMENT",
            "dueAt": AT_WRITTEN,
            "message": "Bald",
            "scheduledBy": "user:anna",
            "scheduledAt": AT_WRITTEN,
        }
    ]
    assert data == written(WRITER.account_state(cause(), ACCOUNT, 1))["data"]


def test_the_payer_and_the_timeline_are_written() -> None:
    closed = Interval(OLD, "old", "USD", AT - timedelta(days=1), AT, BindingEnd.SUPERSEDED)
    record = WRITER.payer_state(cause(), replace(PROJECT, closed=(closed,)), 1)
    envelope = written(record)

    EventEnvelope[PayerState].model_validate(envelope)
    assert (record.topic, record.key) == (Topic.PAYERS, b"acme/website")
    assert envelope["data"] == {
        "organization": "acme",
        "project": "website",
        "sequence": 2,
        "payer": {"binding": NEW, "account": "main", "since": AT_WRITTEN, "currency": "EUR"},
        "locked": True,
        "timeline": [
            {
                "binding": OLD,
                "account": "old",
                "currency": "USD",
                "since": "2026-11-21T10:00:00.123456Z",
                "until": AT_WRITTEN,
                "reason": "SUPERSEDED",
            },
            {"binding": NEW, "account": "main", "currency": "EUR", "since": AT_WRITTEN, "until": None, "reason": None},
        ],
        "timelineSince": AT_WRITTEN,
    }


def test_nobody_pays_for_an_unbound_or_deleted_project() -> None:
    envelope = written(WRITER.payer_state(cause(), replace(PROJECT, open=None, deleted_at=AT), 1))

    EventEnvelope[PayerState].model_validate(envelope)
    assert (envelope["data"]["payer"], envelope["data"]["timeline"]) == (None, [])
    assert envelope["data"]["deletedAt"] == AT_WRITTEN


def test_the_longest_timeline_fits_its_model() -> None:
    closed = tuple(
        Interval(str(UUID(int=n)), "old", "USD", AT, AT, BindingEnd.UNBOUND) for n in range(CLOSED_INTERVALS_MAX)
    )

    EventEnvelope[PayerState].model_validate(written(WRITER.payer_state(cause(), replace(PROJECT, closed=closed), 1)))


def test_a_tombstone_has_its_key_and_nothing_else() -> None:
    record = WRITER.payer_tombstone(cause(), "acme", "website")

    assert (record.topic, record.key, record.value, record.headers) == (Topic.PAYERS, b"acme/website", None, ())


def test_a_horizon_is_read_as_it_was_written() -> None:
    horizon = Horizon(AT, 43, 5, INSTALLATION)
    record = WRITER.horizon("billing.commands", 3, horizon)

    HorizonEnvelope[HorizonState].model_validate(written(record))
    assert (record.topic, record.key) == (Topic.HORIZONS, b"billing.commands/3")
    assert read_horizon(record.value) == horizon


@pytest.mark.parametrize(
    "value",
    [None, b"", b"\xff", b"[]", b"1", b'{"data": 1}', b'{"data": {"offset": 1}}', b"[" * 100_000]
    + [
        json.dumps({"data": {"offset": 1, "epoch": 1, "through": t, "installation": i}}).encode()
        for t, i in [("x", str(INSTALLATION)), (AT_WRITTEN, "x"), (5, str(INSTALLATION)), (AT_WRITTEN, 5)]
    ],
)
def test_what_no_worker_wrote_is_no_horizon(value: bytes | None) -> None:
    assert read_horizon(value) is None
