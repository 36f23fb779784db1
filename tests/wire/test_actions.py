"""Every command of the contract, as its sample is written, becomes what the rules are asked."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from schemas.commands import COMMANDS
from tests.wire.given import CREATE, PARTITIONS, Record, request, structured
from worker.domain import commands
from worker.domain.commands import KEEP, Action, BindProject, CreateAccount, ReactivateAccount, UpdateAccount
from worker.domain.values import (
    Approval,
    Contact,
    HoldReason,
    InvoiceFrequency,
    PaymentProfile,
    PaymentTerms,
    ProfileStatus,
)
from worker.wire.actions import ACTIONS
from worker.wire.incoming import read
from worker.wire.partitions import partition_of
from worker.wire.request import Request

SAMPLES = Path(__file__).parents[2] / "schemas" / "samples"


def sample(kind: str) -> dict[str, Any]:
    envelope: dict[str, Any] = json.loads((SAMPLES / f"{kind}.json").read_text())
    return envelope


def read_at_home(value: bytes, organization: str, headers: list[tuple[str, bytes | None]]) -> Request:
    home = partition_of(organization, PARTITIONS)
    record = Record(value, key=organization.encode(), headers=headers, partition=home)
    read_as = read(record, partitions=PARTITIONS)
    assert isinstance(read_as, Request)
    return read_as


@pytest.mark.parametrize("kind", ACTIONS)
def test_a_sample_becomes_its_action(kind: str) -> None:
    envelope = sample(kind)

    read_as = read_at_home(json.dumps(envelope).encode(), envelope["organization"], [])

    assert (read_as.key_refusals, read_as.data_refusals) == ((), ())
    assert type(read_as.action).__name__ == COMMANDS[kind].__name__


def test_the_binary_sample_is_a_bind() -> None:
    message = sample("billing.project.bind.v1.binary")
    headers = [(name, value.encode()) for name, value in message["headers"].items()]
    in_binary_mode = read_at_home(json.dumps(message["value"]).encode(), message["key"], headers)
    envelope = sample("billing.project.bind.v1")
    in_structured_mode = read_at_home(json.dumps(envelope).encode(), envelope["organization"], [])

    assert in_binary_mode.action == in_structured_mode.action
    assert in_binary_mode.content_hash == in_structured_mode.content_hash


def test_there_is_a_way_to_every_action_of_the_rules() -> None:
    read_as = {request_of(kind).__class__ for kind in ACTIONS}

    assert read_as == set(get_args(Action))


def request_of(kind: str) -> Action | None:
    envelope = sample(kind)
    return read_at_home(json.dumps(envelope).encode(), envelope["organization"], []).action


@pytest.mark.parametrize("kind", sorted(set(COMMANDS) - set(ACTIONS) - {"billing.lane.tick.v1"}))
def test_what_the_rules_do_not_know_yet_is_an_unknown_command(kind: str) -> None:
    envelope = sample(kind)

    assert not read_at_home(json.dumps(envelope).encode(), envelope["organization"], []).is_known
    assert not hasattr(commands, COMMANDS[kind].__name__)


def test_an_account_is_created_with_all_its_values() -> None:
    data = {
        "account": "main",
        "currency": "EUR",
        "displayName": "Main",
        "contact": {"email": "anna@acme.example", "name": "Anna"},
        "paymentTerms": {"netDays": 14, "invoiceFrequency": "Annual"},
        "paymentProfile": {"type": "card", "externalId": "pm_1", "status": "Valid"},
        "labels": {"b": "2", "a": ""},
    }

    assert request(structured({**CREATE, "data": data})).action == CreateAccount(
        account="main",
        currency="EUR",
        display_name="Main",
        contact=Contact("anna@acme.example", "Anna"),
        terms=PaymentTerms(14, 1, InvoiceFrequency.ANNUAL),
        profile=PaymentProfile("card", "pm_1", ProfileStatus.VALID),
        labels={"a": "", "b": "2"},
    )


def test_an_absent_value_takes_its_default() -> None:
    bare = {**CREATE, "data": {"account": "main", "currency": "EUR"}}

    assert request(structured(bare)).action == CreateAccount("main", "EUR")


def test_an_update_tells_absent_from_null() -> None:
    update = {**CREATE, "type": "billing.account.update.v1", "data": {"account": "main", "contact": None}}

    assert request(structured(update)).action == UpdateAccount("main", display_name=KEEP, contact=None, labels=KEEP)


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ({}, KEEP),
        ({"expectedBinding": None}, None),
        (
            {"expectedBinding": "0D9D0F94-BEEF-5106-9A6D-CC0CCB7BBCD7"},
            "0d9d0f94-beef-5106-9a6d-cc0ccb7bbcd7",
        ),
    ],
)
def test_an_expected_binding_tells_absent_from_null(expected: dict[str, object], found: object) -> None:
    data = {"project": "website", "account": "main", "onExisting": "reject", **expected}
    bind = {**CREATE, "type": "billing.project.bind.v1", "data": data}

    assert request(structured(bind)).action == BindProject("website", "main", supersede=False, expected_binding=found)  # type: ignore[arg-type]


def test_holds_are_released_by_reason_by_id_or_all() -> None:
    def action(**chosen: object) -> Action | None:
        approval = {"by": "user:boss", "reference": "T-1"}
        data = {"account": "main", "approval": approval, **chosen}
        return request(structured({**CREATE, "type": "billing.account.reactivate.v1", "data": data})).action

    approval = Approval("user:boss", "T-1")
    assert action(reason="NON_PAYMENT") == ReactivateAccount("main", reason=HoldReason.NON_PAYMENT, approval=approval)
    assert action(hold="h-1") == ReactivateAccount("main", hold="h-1", approval=approval)
    assert action(all=True) == ReactivateAccount("main", approval=approval)
