"""Reasons of a rejection: one for each code, in words that help, with details that the contract promises."""

import json
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from pydantic import TypeAdapter

from schemas.refusals import Refusal as RefusalModel
from schemas.rejections import RejectionCode
from tests.wire.given import AT, CREATE, WRITER, cause, request, structured
from worker.domain.decision import Reason, Refusal
from worker.domain.values import Hold, HoldReason, Phase
from worker.wire.refusals import SENTENCES, reason

HOLD = Hold("h-1", HoldReason.NON_PAYMENT, "Unpaid", False, "user:anna", AT)
DETAILS: dict[Reason, dict[str, Any]] = {
    Reason.WRONG_PARTITION: {"expected": 3},
    Reason.INVALID_DATA: {"path": "/account"},
    Reason.INVALID_CURRENCY: {"path": "/currency"},
    Reason.SENSITIVE_DATA_REFUSED: {"path": "/externalId"},
    Reason.VERSION_CONFLICT: {"expected": 1, "actual": 2},
    Reason.ACCOUNT_NOT_READY: {"phase": Phase.SUSPENDED, "holds": (HOLD,)},
    Reason.HOLD_ALREADY_EXISTS: {"hold": HOLD},
    Reason.ACTIVE_BINDINGS: {"count": 2, "sample": ["a", "b"]},
    Reason.SETTLEMENT_REQUIRED: {"needed": datetime(2026, 1, 1, tzinfo=UTC)},
    Reason.MOVE_COUNT_MISMATCH: {"expected": 1, "actual": 2},
    Reason.MOVE_ITEMS_INELIGIBLE: {"items": [{"project": "a", "code": Reason.BINDING_LOCKED}]},
    Reason.BINDING_CHANGED: {"binding": None},
    Reason.REBIND_BLOCKED_BY_HOLD: {"account": "main", "holds": (HOLD,), "reasons": {HoldReason.NON_PAYMENT}},
}
CARD = "4111 1111 1111 1111"


def test_there_is_a_sentence_for_every_code_of_the_contract() -> None:
    assert {code.value for code in SENTENCES} == {code.value for code in RejectionCode}
    assert all(sentence.endswith(".") for sentence in SENTENCES.values())


@pytest.mark.parametrize("code", Reason)
def test_a_reason_is_written_as_its_model_says(code: Reason) -> None:
    written = json.loads(orjson.dumps(reason(Refusal(code, DETAILS.get(code, {})))))

    read: Any = TypeAdapter(RefusalModel).validate_json(json.dumps(written))
    assert read.code == code.value
    assert isinstance(written["details"], dict)


def test_what_a_refusal_says_itself_goes_before_the_general_sentence() -> None:
    assert reason(Refusal(Reason.INVALID_DATA, {"path": ""}, "Must be an object."))["message"] == "Must be an object."


def test_holds_and_instants_are_written_as_everywhere() -> None:
    details = reason(Refusal(Reason.HOLD_ALREADY_EXISTS, {"hold": HOLD}))["details"]

    assert details["hold"]["placedAt"] == "2026-11-22T10:00:00.123456Z"


def test_what_cannot_be_written_is_a_defect() -> None:
    with pytest.raises(TypeError, match="cannot carry object"):
        reason(Refusal(Reason.INVALID_DATA, {"path": object()}))


@pytest.mark.parametrize(
    "data",
    [
        {"account": "main", "currency": "EUR", "paymentProfile": {"type": "card", "externalId": CARD}},
        {"account": CARD, "currency": CARD, "displayName": CARD + "\0", "labels": {CARD + "\0": CARD + "\0"}},
        {"account": "main", "currency": "EUR", "contact": {"email": CARD}, CARD: 1},
        {"account": [CARD], "currency": {"x": CARD}, "paymentTerms": {"netDays": CARD}},
    ],
)
def test_a_refused_value_stands_in_nothing_that_is_written(data: dict[str, object]) -> None:
    envelope = {**CREATE, "actor": CARD + "\0", "dryrun": CARD, "expectedversion": CARD, "datacontenttype": None}
    refused = request(structured({**envelope, "data": data}))
    record = WRITER.rejected(cause(), refused.data_refusals, 0).record

    assert refused.data_refusals
    assert CARD.encode() not in (record.value or b"")
    assert CARD not in repr(refused)


def test_the_rules_and_the_contract_know_the_same_codes_in_the_same_order() -> None:
    assert [str(reason) for reason in Reason] == [str(code) for code in RejectionCode]
