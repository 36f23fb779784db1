"""What the worker writes is described precisely enough to catch it when it errs."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from schemas.documents import MESSAGES
from schemas.envelope import COMMAND_ID, ORGANIZATION, TRACEPARENT, CommandEnvelope
from schemas.refusals import DETAILS, PlainRefusal, Refusal
from schemas.rejections import RejectionCode
from schemas.results import CommandRejected
from schemas.topics import TOPICS

SAMPLES = Path(__file__).parents[2] / "schemas" / "samples"


def sample(kind: str) -> dict[str, Any]:
    envelope: dict[str, Any] = json.loads((SAMPLES / f"{kind}.json").read_text("utf-8"))
    return envelope


def rejected(code: str, details: object) -> CommandRejected:
    reason = {"code": code, "message": "No.", "details": details}
    data = {"command": "c", "type": "billing.project.bind.v1", "reasons": [reason], "duplicate": False}
    return CommandRejected.model_validate(data)


@pytest.mark.parametrize(
    ("word", "change"),
    [
        ("binding.established", {"since": "2026-11-22T09:14:00Z"}),
        ("binding.established", {"since": "2026-11-22T09:14:00.204817+00:00"}),
        ("binding.established", {"supersedes": None}),
        ("binding.established", {"binding": "9A06193E-8460-586F-A623-5AB7C6CC4430"}),
        ("binding.established", {"accountSequence": 0}),
        ("binding.released", {"reason": "SUPERSEDED"}),
        ("account.phase-changed", {"from": "ready"}),
        ("account.phase-changed", {"settlement": None}),
        ("account.phase-changed", {"holds": ["dunning-2026-10"]}),
        ("account.created", {"labels": None}),
        ("account.hold-released", {"automatic": True}),
        ("account.state", {"deletedAt": None}),
        ("payer.state", {"locked": None}),
        ("command.accepted", {"eventCount": -1}),
        ("command.evaluated", {"events": [{"id": "9a06193e-8460-586f-a623-5ab7c6cc4430", "type": "x", "data": {}}]}),
        ("lane.horizon", {"offset": "1"}),
    ],
)
def test_a_message_that_differs_from_the_contract_is_refused(word: str, change: dict[str, Any]) -> None:
    kind = f"billing.{word}.v1"
    with pytest.raises(ValidationError):
        MESSAGES[kind].model_validate(sample(kind)["data"] | change)


@pytest.mark.parametrize("kind", sorted(MESSAGES))
def test_every_required_field_is_required(kind: str) -> None:
    model = MESSAGES[kind]
    data = sample(kind)["data"]
    for field in model.model_fields.values():
        if field.is_required() and field.alias:
            with pytest.raises(ValidationError):
                model.model_validate({name: value for name, value in data.items() if name != field.alias})


@pytest.mark.parametrize("code", RejectionCode)
def test_every_code_can_be_told_and_its_details_are_always_an_object(code: RejectionCode) -> None:
    plain = get_args(PlainRefusal.model_fields["code"].annotation)

    assert (code in plain) is (code not in DETAILS)
    assert f'"{code}"' in json.dumps(CommandRejected.model_json_schema())
    with pytest.raises(ValidationError):
        rejected(code, None)


@pytest.mark.parametrize(
    ("code", "details"),
    [
        ("INVALID_DATA", {"path": "/labels/a~1b"}),
        ("WRONG_PARTITION", {"expected": 7}),
        ("ACCOUNT_NOT_READY", {"phase": "Provisioning", "holds": []}),
        ("ACTIVE_BINDINGS", {"count": 2, "sample": ["web-shop", "search-index"]}),
        ("SETTLEMENT_REQUIRED", {"needed": "2026-11-22T09:14:00.204817Z"}),
        ("MOVE_COUNT_MISMATCH", {"expected": 2, "actual": 3}),
        ("MOVE_ITEMS_INELIGIBLE", {"items": [{"project": "web-shop", "code": "BINDING_LOCKED"}]}),
        ("ACCOUNT_NOT_FOUND", {}),
    ],
)
def test_the_details_of_a_code_have_exactly_their_names(code: str, details: dict[str, Any]) -> None:
    assert rejected(code, details).as_json()["reasons"][0]["details"] == details
    if code in DETAILS:
        with pytest.raises(ValidationError):
            rejected(code, details | {"more": 1})
        with pytest.raises(ValidationError):
            rejected(code, {})


def test_every_code_is_some_refusal() -> None:
    models = get_args(get_args(Refusal)[0])
    codes = [code for model in models for code in get_args(model.model_fields["code"].annotation)]
    assert sorted(codes) == sorted(RejectionCode)
    assert len(RejectionCode) == 37


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("specversion", "0.3"),
        ("id", ""),
        ("id", "x" * 129),
        ("id", "a/b"),
        ("source", ""),
        ("type", 1),
        ("organization", "Acme"),
        ("actor", "a" * 201),
        ("actor", ""),
        ("expectedversion", "1"),
        ("expectedversion", -1),
        ("dryrun", "true"),
        ("traceparent", "x"),
        ("data", None),
        ("actor", None),
    ],
)
def test_a_publisher_learns_of_a_bad_attribute(attribute: str, value: object) -> None:
    with pytest.raises(ValidationError):
        CommandEnvelope.model_validate(sample("billing.project.bind.v1") | {attribute: value})


def test_unknown_attributes_of_a_command_are_ignored() -> None:
    envelope = CommandEnvelope.model_validate(sample("billing.project.bind.v1") | {"region": "emea"})
    assert envelope.expectedversion == 2


@pytest.mark.parametrize("text", ["a\n", "a b", "", "ä"])
def test_the_patterns_of_the_envelope_match_the_whole_of_a_value(text: str) -> None:
    assert not COMMAND_ID.fullmatch(text)
    assert not ORGANIZATION.fullmatch(text)


def test_a_trace_of_zeros_is_none() -> None:
    assert TRACEPARENT.fullmatch("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    assert not TRACEPARENT.fullmatch(f"00-{'0' * 32}-00f067aa0ba902b7-01")


def test_the_topics_are_the_eight_of_the_contract() -> None:
    assert {topic.name: topic.policy for topic in TOPICS} == {
        "billing.commands": "delete",
        "billing.account-events": "delete",
        "billing.binding-events": "delete",
        "billing.command-results": "delete",
        "billing.accounts": "compact",
        "billing.payers": "compact",
        "billing.horizons": "compact",
        "billing.dead-letters": "delete",
    }
