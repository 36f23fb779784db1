"""E1 and E6: lost, doubled and invented outcomes are reported, with the offset."""

from collections import Counter
from collections.abc import Iterable

import pytest

from tests.checker.given import command, result, shown, the_only, written
from tests.system.checker.commands import TICK, Commands
from tests.system.checker.messages import Message, Place


def log(*ids: str) -> Commands:
    """A log with these commands at 0, 1, 2 …; `tick` is a tick."""
    commands = Commands()
    for offset, id_ in enumerate(ids):
        commands.lies(command(id_, offset, kind=TICK[8:-3] if id_ == "tick" else "project.bind"))
    return commands


def outcomes(commands: Commands, results: Iterable[Message]) -> list[str]:
    return [*shown(commands.result, results), *commands.each_has_one_outcome()]


def test_one_outcome_for_each_command_and_none_for_a_tick_is_as_it_should_be() -> None:
    commands = log("c-0", "tick", "c-2")

    assert outcomes(commands, [result("accepted", "c-0", 0), result("rejected", "c-2", 2)]) == []
    assert list(commands.hold_what_was_acknowledged(Counter(["c-0", "c-2"]))) == []


def test_a_command_without_an_outcome_is_reported() -> None:
    assert the_only(outcomes(log("c-0", "c-1"), [result("accepted", "c-0", 0)])) == (
        "the command 'c-1' at 0/1 has 0 results and 0 dead letters"
    )


def test_a_command_with_two_outcomes_is_reported() -> None:
    twice = [result("accepted", "c-0", 0), result("accepted", "c-0", 0, duplicate=True)]

    assert the_only(outcomes(log("c-0"), twice)) == "the command 'c-0' at 0/0 has 2 results and 0 dead letters"


def test_a_tick_with_a_result_is_reported() -> None:
    assert "the tick 'tick' at 0/0 has 1 results" in the_only(outcomes(log("tick"), [result("accepted", "tick", 0)]))


def test_an_outcome_of_what_never_lay_in_the_log_is_reported() -> None:
    found = outcomes(log("c-0"), [result("accepted", "c-0", 0), result("accepted", "c-7", 7)])

    assert the_only(found) == "there is an outcome of 0/7, but no record in the log"


def test_an_id_that_is_used_up_twice_is_reported() -> None:
    again = [result("accepted", "c-0", 0), result("accepted", "c-0", 1)]

    assert "was accepted anew: its id was used up by the command at 0/0" in the_only(outcomes(log("c-0", "c-0"), again))


@pytest.mark.parametrize(
    "second",
    [
        result("accepted", "c-0", 1, duplicate=True),
        result("evaluated", "c-0", 1),
        result("rejected", "c-0", 1, reasons=[{"code": "COMMAND_ID_REUSED"}]),
    ],
)
def test_an_id_that_comes_again_and_is_answered_so_is_as_it_should_be(second: Message) -> None:
    assert outcomes(log("c-0", "c-0"), [result("accepted", "c-0", 0), second]) == []


def test_a_command_that_was_acknowledged_and_is_not_in_the_log_is_reported() -> None:
    assert the_only(log("c-0").hold_what_was_acknowledged(Counter({"c-0": 1, "c-1": 2}))) == (
        "the command 'c-1' was acknowledged 2 times; 2 of them are not in the log"
    )


def test_nothing_is_claimed_of_what_lay_before_the_log_begins_now() -> None:
    commands = Commands(starts={0: 5})
    commands.lies(command("c-5", 5))

    assert outcomes(commands, [result("accepted", "c-1", 1), result("accepted", "c-5", 5)]) == []
    assert list(commands.hold_what_was_acknowledged(Counter(["c-1", "c-5"]))) == []


@pytest.mark.parametrize(("place", "named"), [(Place(0, 0, 1), "c-1"), (Place(0, 4, 1), "c-0")])
def test_a_record_that_names_a_command_which_does_not_lie_there_is_reported(place: Place, named: str) -> None:
    event = written("binding.established", "projects/acme/web", place, {}, causationid=named)

    assert f"names the command '{named}'" in the_only(log("c-0").names_its_command(event))


def test_a_record_that_names_the_command_at_its_place_is_as_it_should_be() -> None:
    event = written("binding.established", "projects/acme/web", Place(0, 0, 1), {}, causationid="c-0")

    assert list(log("c-0").names_its_command(event)) == []
