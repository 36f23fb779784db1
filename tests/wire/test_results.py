"""Results tell what became of a command, once and again."""

import json

import pytest

from schemas.envelope import ResultEnvelope
from schemas.results import CommandAccepted, CommandEvaluated, CommandRejected
from tests.wire.given import (
    AT_WRITTEN,
    ESTABLISHED,
    HOLD,
    REGISTERED,
    WRITER,
    cause,
    event,
    written,
)
from worker.domain.decision import Reason, Refusal
from worker.domain.values import (
    Phase,
)
from worker.wire.outgoing import Topic


def test_an_accepted_result_lists_its_events() -> None:
    events = [event(REGISTERED, 0), event(ESTABLISHED, 1)]
    result = WRITER.accepted(cause(), events, 3, 2)
    envelope = written(result.record)

    ResultEnvelope[CommandAccepted].model_validate(envelope)
    assert (result.record.topic, result.record.key) == (Topic.COMMAND_RESULTS, b"acme")
    assert (envelope["subject"], envelope["commandposition"]) == ("commands/acme/command-1", "billing.commands/3/42/2")
    assert json.loads(result.data) == envelope["data"]
    assert envelope["data"] == {
        "command": "command-1",
        "type": "billing.project.bind.v1",
        "events": [
            {"id": e.id, "type": e.type, "subject": "projects/acme/website", "sequence": n}
            for n, e in enumerate(events, 1)
        ],
        "eventCount": 2,
        "version": 3,
        "duplicate": False,
    }


def test_results_list_a_hundred_events_and_count_all() -> None:
    data = written(WRITER.accepted(cause(), [event(REGISTERED)] * 101, None, 101).record)["data"]

    assert (len(data["events"]), data["eventCount"]) == (100, 101)
    evaluated = written(WRITER.evaluated(cause(), [event(REGISTERED)] * 101, (), 101).record)["data"]
    assert (len(evaluated["events"]), evaluated["eventCount"]) == (100, 101)


def test_a_rejected_result_tells_every_reason() -> None:
    refusals = (
        Refusal(Reason.ACCOUNT_NOT_READY, {"phase": Phase.SUSPENDED, "holds": (HOLD,)}),
        Refusal(Reason.VERSION_CONFLICT, {"expected": 1, "actual": 2}),
    )
    envelope = written(WRITER.rejected(cause(), refusals, 0).record)

    ResultEnvelope[CommandRejected].model_validate(envelope)
    assert [reason["code"] for reason in envelope["data"]["reasons"]] == ["ACCOUNT_NOT_READY", "VERSION_CONFLICT"]
    assert envelope["data"]["reasons"][0]["details"]["holds"][0]["placedAt"] == AT_WRITTEN


@pytest.mark.parametrize("refusals", [(), (Refusal(Reason.ACCOUNT_NOT_FOUND),)])
def test_a_dry_run_is_told_what_would_happen(refusals: tuple[Refusal, ...]) -> None:
    events = [] if refusals else [event(REGISTERED)]
    envelope = written(WRITER.evaluated(cause(), events, refusals, 0).record)

    ResultEnvelope[CommandEvaluated].model_validate(envelope)
    assert envelope["data"]["wouldAccept"] == (not refusals)
    assert [e["data"] for e in envelope["data"]["events"]] == [e.data for e in events]


def test_a_duplicate_is_told_the_first_result_again() -> None:
    accepted = WRITER.accepted(cause(), [event(REGISTERED)], 3, 1)
    rejected = WRITER.rejected(cause(), (Refusal(Reason.ACCOUNT_NOT_FOUND),), 0)

    for first, model in ((accepted, CommandAccepted), (rejected, CommandRejected)):
        envelope = written(WRITER.repeated(cause(), first.data, 0).record)
        assert envelope["type"] == model.TYPE
        assert envelope["data"] == {**json.loads(first.data), "duplicate": True}
