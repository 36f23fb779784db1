"""Every command of the contract, as its sample is written, becomes what the rules are asked."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from schemas.commands import COMMANDS
from tests.wire.given import CREATE, PARTITIONS, Record, request, structured
from worker.domain.commands import (
    KEEP,
    Action,
    ArchiveAccount,
    BindProject,
    CancelSuspension,
    CreateAccount,
    DeleteProject,
    LockProject,
    MoveProjects,
    ReactivateAccount,
    RegisterProject,
    ScheduleSuspension,
    UnlockProject,
    UpdateAccount,
)
from worker.domain.decision import Reason
from worker.domain.values import (
    Approval,
    Contact,
    HoldReason,
    InvoiceFrequency,
    PaymentProfile,
    PaymentTerms,
    ProfileStatus,
    Settlement,
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


def test_every_command_of_the_contract_but_the_tick_is_known() -> None:
    assert set(ACTIONS) == set(COMMANDS) - {"billing.lane.tick.v1"}


def test_a_suspension_is_announced_or_taken_back() -> None:
    reason = {"account": "main", "reason": "NON_PAYMENT"}
    scheduled = {**reason, "dueAt": "2026-12-01T13:00:00+01:00", "message": "Please pay."}

    assert action_of("account.schedule-suspension", scheduled) == ScheduleSuspension(
        "main", HoldReason.NON_PAYMENT, datetime(2026, 12, 1, 12, tzinfo=UTC), "Please pay."
    )
    assert action_of("account.cancel-suspension", reason) == CancelSuspension("main", HoldReason.NON_PAYMENT)


def test_an_account_is_archived_with_or_without_settlement_and_approval() -> None:
    proof = {
        "settlement": {"reference": "S-1", "settledThrough": "2026-12-01T12:00:00Z"},
        "approval": {"by": "user:boss", "reference": "T-1"},
    }
    settlement = Settlement("S-1", datetime(2026, 12, 1, 12, tzinfo=UTC))

    assert action_of("account.archive", {"account": "main"}) == ArchiveAccount("main")
    assert action_of("account.archive", {"account": "main", **proof}) == ArchiveAccount(
        "main", settlement, Approval("user:boss", "T-1")
    )


def test_projects_are_moved_by_name_or_all() -> None:
    sides = {"from": "old", "to": "new"}

    assert action_of("account.move-projects", sides) == MoveProjects("old", "new")
    named = {**sides, "projects": ["b", "a"], "expectedCount": 2}
    assert action_of("account.move-projects", named) == MoveProjects("old", "new", ("b", "a"), 2)


@pytest.mark.parametrize(
    ("word", "note", "action"),
    [
        ("lock", {"note": "Audit."}, LockProject("website", "Audit.")),
        ("unlock", {"note": "Done."}, UnlockProject("website", "Done.")),
        ("register", {}, RegisterProject("website")),
        ("delete", {}, DeleteProject("website")),
    ],
)
def test_a_project_is_locked_unlocked_registered_or_deleted(word: str, note: dict[str, str], action: Action) -> None:
    assert action_of(f"project.{word}", {"project": "website", **note}) == action


def action_of(word: str, data: Mapping[str, object]) -> Action | None:
    return request(structured({**CREATE, "type": f"billing.{word}.v1", "data": data})).action


@pytest.mark.parametrize("kind", [kind for kind in ACTIONS if kind.startswith("billing.project.")])
def test_of_the_commands_on_projects_only_a_bind_is_written_against_a_version(kind: str) -> None:
    envelope = {**sample(kind), "expectedversion": 1}
    read_as = read_at_home(json.dumps(envelope).encode(), envelope["organization"], [])

    if kind == "billing.project.bind.v1":
        assert (read_as.data_refusals, read_as.expected_version) == ((), 1)
    else:
        [refusal] = read_as.data_refusals
        assert (refusal.reason, refusal.details) == (Reason.INVALID_DATA, {"path": "/expectedversion"})
        assert (read_as.action, read_as.expected_version) == (None, None)


def test_a_move_is_written_against_the_version_of_its_source() -> None:
    envelope = {**sample("billing.account.move-projects.v1"), "expectedversion": 1}

    read_as = read_at_home(json.dumps(envelope).encode(), envelope["organization"], [])

    assert (read_as.data_refusals, read_as.expected_version) == ((), 1)


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
