"""The contract is complete: everything that has a name has a schema, a sample, and a sentence."""

import json
import re

import pytest

from schemas.commands import COMMANDS
from schemas.documents import ENVELOPES, MESSAGES, documents
from schemas.events import EVENTS
from schemas.results import RESULTS
from schemas.state import STATES
from tests.tidy.tree import ROOT
from worker.domain.decision import Reason
from worker.wire.actions import ACTIONS
from worker.wire.refusals import SENTENCES

JSON, SAMPLES = ROOT / "schemas/json", ROOT / "schemas/samples"
README = (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize("kind", sorted({*COMMANDS, *EVENTS, *RESULTS, *STATES}))
def test_every_type_of_message_has_a_schema_and_a_sample(kind: str) -> None:
    schema = json.loads((JSON / f"{kind}.schema.json").read_text("utf-8"))
    sample = json.loads((SAMPLES / f"{kind}.json").read_text("utf-8"))

    assert re.fullmatch(r"billing\.[a-z]+\.[a-z-]+\.v1", kind)
    assert schema["$id"].endswith(kind)
    assert schema == documents()[f"{kind}.schema.json"]
    assert sample["type"] == kind


def test_there_is_no_schema_and_no_sample_of_anything_else() -> None:
    schemas = {path.name.removesuffix(".schema.json") for path in JSON.glob("*.schema.json")}
    samples = {path.name.removesuffix(".json").removesuffix(".binary") for path in SAMPLES.glob("*.json")}

    assert schemas == set(MESSAGES) | set(ENVELOPES)
    assert samples == set(MESSAGES)


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.value)
def test_every_rejection_has_a_sentence_that_says_what_to_do(reason: Reason) -> None:
    sentence = SENTENCES[reason]

    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert len(sentence.split()) >= 4


def test_the_readme_lists_the_commands_that_the_worker_carries_out() -> None:
    rows = dict(re.findall(r"^\| (account|project) \| (.*) \|$", README, re.MULTILINE))
    said = {
        f"billing.{subject}.{word}.v1"
        for subject, row in rows.items()
        for word in re.findall(
            r"`([a-z-]+[a-z])`",
            row.replace("`attach-`, `report-`", "`attach-payment-profile`, `report-payment-profile`"),
        )
    }

    assert said == set(ACTIONS)
