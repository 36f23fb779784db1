"""Logs: one event name each, a JSON document a line, and at no level what people wrote."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from sqlalchemy.exc import IntegrityError

from tests.system.deployment import Deployment, command, ready_account
from tests.system.settling import until
from worker.ops import logs
from worker.settings import Log

HIDDEN = "jane.doe"
DETAIL = f"new row violates check constraint\nDETAIL:  Failing row contains (acme, {HIDDEN}@example.com)."


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def fail() -> None:
    raise IntegrityError("INSERT INTO accounts", {"contact": HIDDEN}, ValueError(DETAIL), hide_parameters=True)


@pytest.mark.parametrize("format_", ["json", "console"])
def test_what_the_database_says_of_a_row_is_left_out_of_tracebacks(
    format_: Any, capsys: pytest.CaptureFixture[str], logging_as_before: None
) -> None:
    logs.configure(Log(level="debug", format=format_))
    try:
        fail()
    except IntegrityError:
        structlog.get_logger("tests").exception("defect", lane=1)

    said = capsys.readouterr().err
    assert "violates check constraint" in said
    assert "in fail" in said or '"name": "fail"' in said
    assert HIDDEN not in said


def test_clients_say_nothing_below_warnings_however_much_is_asked_for(
    capsys: pytest.CaptureFixture[str], logging_as_before: None
) -> None:
    logs.configure(Log(level="debug", format="json"))
    for name in ("aiokafka.conn", "faststream.kafka"):
        logging.getLogger(name).info("a request of %s", HIDDEN)
    logging.getLogger("aiokafka.conn").warning("a connection is lost")

    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["a connection is lost"]


async def test_a_worker_at_debug_level_says_what_became_of_each_record_and_nothing_that_people_wrote(
    deployment: Deployment,
) -> None:
    named = command(
        "acme",
        "account.update",
        "c-2",
        actor=f"{HIDDEN}@example.com",
        account="main",
        displayName=HIDDEN,
        contact={"email": f"{HIDDEN}@example.com", "name": HIDDEN},
    )
    bind = command("acme", "project.bind", "b-1", actor=f"{HIDDEN}@example.com", project="web", account="none")
    with deployment.worker(LOG__LEVEL="debug") as worker:
        await deployment.publish("acme", ready_account("acme", "main"), named, bind, HIDDEN.encode())
        await deployment.answers()

        async def all_are_told() -> bool:
            return len([event for event in worker.said("decided") if event["outcome"] != "tick"]) == 4

        await until(all_are_told, "each record is told of")
        told = [event for event in worker.said("decided") if event["outcome"] != "tick"]
        lines = worker.log.read_text()

    assert [(event.get("id"), event["outcome"]) for event in told] == [
        ("create-main", "accepted"),
        ("c-2", "accepted"),
        ("b-1", "rejected"),
        (None, "dead_letter"),
    ]
    assert {event["organization"] for event in told[:3]} == {"acme"}
    assert HIDDEN not in lines
