"""Every message of the contract has a model, a sample and a JSON Schema, and the three agree."""

import json
from pathlib import Path
from typing import Any, cast

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from schemas import events
from schemas.cards import carries_card_number
from schemas.commands import COMMANDS, Command, parse
from schemas.documents import MESSAGES, envelope_of
from schemas.envelope import (
    CommandEnvelope,
    EventEnvelope,
    HorizonEnvelope,
    ResultEnvelope,
    WrittenEnvelope,
    dataschema,
)
from schemas.generate import FOLDER, drift, main
from schemas.topics import TOPICS

SAMPLES = Path(__file__).parents[2] / "schemas" / "samples"

OF_THE_CONTRACT = {
    f"billing.{word}.v1"
    for word in """
    account.create account.update account.change-currency account.change-payment-terms account.attach-payment-profile
    account.report-payment-profile account.detach-payment-profile account.suspend account.schedule-suspension
    account.cancel-suspension account.reactivate account.archive account.delete account.move-projects
    project.bind project.unbind project.lock project.unlock project.register project.delete lane.tick

    account.created account.updated account.currency-changed account.payment-terms-changed
    account.payment-profile-attached account.payment-profile-reported account.payment-profile-detached
    account.hold-placed account.hold-released account.suspension-scheduled account.suspension-cancelled
    account.phase-changed account.deleted
    project.registered project.deleted binding.established binding.superseded binding.released binding.locked
    binding.unlocked project.payer-at-risk project.payer-restored project.payer-missing

    command.accepted command.rejected command.evaluated
    account.state payer.state lane.horizon
    """.split()  # noqa: SIM905 - fifty quotes say no more
}
WRITTEN = sorted(OF_THE_CONTRACT - COMMANDS.keys())
ENVELOPES: dict[str, type[WrittenEnvelope[Any]]] = {
    "event-envelope": EventEnvelope,
    "result-envelope": ResultEnvelope,
    "horizon-envelope": HorizonEnvelope,
}


def sample(kind: str) -> dict[str, Any]:
    envelope: dict[str, Any] = json.loads((SAMPLES / f"{kind}.json").read_text("utf-8"))
    return envelope


def complaints(name: str, instance: object) -> list[str]:
    schema = json.loads((FOLDER / f"{name}.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    checker = Draft202012Validator(schema, format_checker=FormatChecker())
    return [error.message for error in checker.iter_errors(instance)]


def test_the_generated_files_are_as_the_models_say() -> None:
    assert drift() == []


def test_a_generated_file_that_is_changed_missing_or_left_over_is_noticed(tmp_path: Path) -> None:
    for path in FOLDER.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "asyncapi.json").write_text("{}", "utf-8")
    (tmp_path / "billing.lane.tick.v1.schema.json").unlink()
    (tmp_path / "old.json").write_text("{}", "utf-8")

    assert drift(tmp_path) == ["asyncapi.json", "billing.lane.tick.v1.schema.json", "old.json"]
    assert main(["--check"], tmp_path) == 1
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0


def test_every_message_of_the_contract_has_a_model_and_no_other_has() -> None:
    assert set(MESSAGES) == OF_THE_CONTRACT


def test_every_message_has_one_sample_and_one_is_in_binary_mode() -> None:
    found = {path.name.removesuffix(".json") for path in SAMPLES.iterdir()}
    assert found == OF_THE_CONTRACT | {"billing.project.bind.v1.binary"}


def test_every_message_belongs_to_exactly_one_topic() -> None:
    carried = [kind for topic in TOPICS for kind in topic.carries]
    assert sorted(carried) == sorted(OF_THE_CONTRACT)
    assert [topic.name for topic in TOPICS if not topic.carries] == ["billing.dead-letters"]


@pytest.mark.parametrize("kind", sorted(OF_THE_CONTRACT))
def test_a_sample_is_what_its_json_schemas_describe(kind: str) -> None:
    envelope = sample(kind)

    assert envelope["type"] == kind
    assert complaints(envelope_of(kind), envelope) == []
    assert complaints(kind, envelope["data"]) == []


@pytest.mark.parametrize("kind", sorted(COMMANDS))
def test_a_sample_command_is_read_and_means_the_same_when_written_again(kind: str) -> None:
    envelope = sample(kind)

    command = parse(kind, CommandEnvelope.model_validate(envelope).data)

    assert isinstance(command, Command)
    assert parse(kind, command.as_json()) == command
    assert command.as_json().keys() == envelope["data"].keys()


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_written_sample_comes_back_to_the_letter(kind: str) -> None:
    envelope = sample(kind)

    model = cast("type[WrittenEnvelope[Any]]", ENVELOPES[envelope_of(kind)].__class_getitem__(MESSAGES[kind]))
    read = model.model_validate(envelope)

    assert read.as_json() == envelope
    assert json.dumps(read.as_json()["data"]) == json.dumps(envelope["data"])
    assert envelope["dataschema"] == dataschema(kind)


@pytest.mark.parametrize("kind", sorted(OF_THE_CONTRACT))
def test_data_with_an_unknown_field_is_refused_by_model_and_schema(kind: str) -> None:
    data = sample(kind)["data"] | {"colour": "blue"}

    assert complaints(kind, data) != []
    with pytest.raises(ValueError, match="extra_forbidden"):
        MESSAGES[kind].model_validate(data)


def test_the_binary_sample_is_the_structured_one_in_another_mode() -> None:
    binary, structured = sample("billing.project.bind.v1.binary"), sample("billing.project.bind.v1")

    assert binary["value"] == structured["data"]
    assert binary["key"] == structured["organization"]
    assert binary["headers"]["ce_type"] == structured["type"]
    assert binary["headers"]["ce_id"] == structured["id"]


@pytest.mark.parametrize("path", sorted(SAMPLES.iterdir()), ids=lambda path: path.name)
def test_no_sample_shows_what_looks_like_a_card(path: Path) -> None:
    strings: list[str] = []
    json.loads(path.read_text("utf-8"), object_hook=lambda found: strings.extend(map(str, found.values())))
    assert not [text for text in strings if not text.startswith("{") and carries_card_number(text)]


@pytest.mark.parametrize("kind", sorted(events.EVENTS))
def test_a_subscriber_reads_an_event_as_its_class(kind: str) -> None:
    event = events.parse(sample(kind))

    assert type(event.data) is events.EVENTS[kind]
    assert event.sequence >= 1


def test_an_event_of_another_release_is_told_apart_from_a_broken_one() -> None:
    envelope = sample("billing.binding.locked.v1")

    with pytest.raises(KeyError):
        events.parse(envelope | {"type": "billing.binding.locked.v2"})
    with pytest.raises(ValueError, match="sequence"):
        events.parse(envelope | {"sequence": 0})


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = json.loads((FOLDER / "asyncapi.json").read_text("utf-8"))
    references: list[str] = []
    json.loads(json.dumps(document), object_hook=lambda found: references.extend(found.pop("$ref", "").split()))

    assert document["asyncapi"] == "3.1.0"
    assert len(document["channels"]) == len(document["operations"]) == len(TOPICS) == 8
    for reference in references:
        if reference.startswith("./"):
            assert (FOLDER / reference).is_file()
        else:
            target = document
            for name in reference.removeprefix("#/").split("/"):
                target = target[name]
    assert len({reference for reference in references if reference.startswith("./billing")}) == len(OF_THE_CONTRACT)
