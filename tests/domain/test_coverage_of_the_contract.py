"""No rule without a test: every code that rules give, and every event, is named by a test other than a law."""

from pathlib import Path
from typing import get_args

import pytest

from worker.domain.commands import Action
from worker.domain.decision import Reason
from worker.domain.events import Event

BEFORE_THE_RULES = {
    Reason.KEY_MISMATCH,
    Reason.WRONG_PARTITION,
    Reason.UNKNOWN_COMMAND,
    Reason.COMMAND_ID_REUSED,
    Reason.INVALID_CURRENCY,
    Reason.SENSITIVE_DATA_REFUSED,
    Reason.INTERNAL_ERROR,
}
"""Told by reading, by the lane, or by nobody's will."""
TESTS = "\n".join(
    path.read_text()
    for path in Path(__file__).parent.glob("test_*.py")
    if not path.name.startswith("test_laws") and path != Path(__file__)
)


@pytest.mark.parametrize("reason", sorted(set(Reason) - BEFORE_THE_RULES))
def test_every_code_of_the_rules_has_a_test(reason: Reason) -> None:
    assert f"Reason.{reason.name}" in TESTS


@pytest.mark.parametrize("event", [event.__name__ for event in get_args(Event)])
def test_every_event_has_a_test(event: str) -> None:
    assert f"{event}(" in TESTS or f"[{event}]" in TESTS or f", {event})" in TESTS


@pytest.mark.parametrize("action", [action.__name__ for action in get_args(Action)])
def test_every_command_has_a_test(action: str) -> None:
    words = TESTS + (Path(__file__).parent / "given.py").read_text()
    assert f"{action}(" in words
