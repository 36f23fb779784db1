"""E8, E9 and E10: changed dead letters, what is left behind, and answers that did not stand are reported."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.checker.given import PARTITIONS, Record, command, moment, result, shown, the_only
from tests.system.checker.answers import Answer, Question, stand
from tests.system.checker.cut import Cut, Horizon, Past, Position, is_published
from tests.system.checker.healed import Lane, Rest, is_at_rest
from tests.system.checker.instants import Instants
from tests.system.checker.letters import Letters
from tests.system.checker.marks import Headers
from tests.system.checker.messages import opened
from tests.system.checker.report import Report, Violated

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
CAME = Record("commands", 0, 7, 1_000, b"acme", b"\xff", [("x", None), ("y", b"")])
WHY: Headers = [
    ("billing-reason", b"NOT_UTF8"),
    ("billing-detail", b"Not UTF-8."),
    ("billing-topic", b"commands"),
    ("billing-partition", b"0"),
    ("billing-offset", b"7"),
    ("billing-timestamp", b"1000"),
]
LETTER = Record("dead-letters", 0, 0, 1_000, CAME.key, CAME.value, [*CAME.headers, *WHY])


def letters(letter: Record, *came: Record) -> list[str]:
    claim = Letters()
    found = list(claim.see(opened(letter, PARTITIONS)))
    return [*found, *(wrong for record in came for wrong in claim.compare(record)), *claim.are_of_records({})]


def test_a_dead_letter_that_is_what_came_is_as_it_should_be() -> None:
    assert letters(LETTER, CAME) == []


@pytest.mark.parametrize(
    ("part", "changed"),
    [
        ("key", {"key": None}),
        ("value", {"value": b""}),
        ("value", {"value": None}),
        ("headers", {"headers": [("x", b""), ("y", b""), *WHY]}),
        ("headers", {"headers": [("y", b""), ("x", None), *WHY]}),
        ("headers", {"headers": WHY}),
    ],
)
def test_a_dead_letter_that_differs_from_what_came_is_reported(part: str, changed: dict[str, Any]) -> None:
    said = the_only(letters(replace(LETTER, **changed), CAME))

    assert said.startswith(f"the {part} of the dead letter ")
    assert said.endswith("(command 0/7) at dead-letters/0/0 differs from what came")


def test_a_dead_letter_that_says_what_it_leaves_out_may_leave_it_out() -> None:
    cut = replace(LETTER, value=None, headers=[*WHY, ("billing-truncated", b"headers, value")])

    assert letters(cut, CAME) == []
    assert "the key of" in the_only(letters(replace(cut, key=b"other"), CAME))


def test_a_dead_letter_of_nothing_is_reported() -> None:
    assert "is of 0/7, where no record lies" in the_only(letters(LETTER, replace(CAME, offset=8)))


def test_a_dead_letter_that_names_another_origin_is_reported() -> None:
    assert "names another origin" in the_only(letters(LETTER, replace(CAME, timestamp=1_001)))


SOUND = Rest(lanes=[Lane(0, 7, 7, None)], group={0: 7})


def test_a_deployment_at_rest_is_as_it_should_be() -> None:
    assert list(is_at_rest(SOUND)) == []
    assert list(is_at_rest(replace(SOUND, connections=["9 (idle for 0)"], workers=1))) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"group": {0: 5}}, "lane 0 stands at 7, the group at 5"),
        ({"group": {}}, "lane 0 stands at 7, the group at -1"),
        ({"lanes": [Lane(0, 7, 7, "log cut")]}, "lane 0 has stopped: log cut"),
        ({"undecided": {0: 3}}, "lane 0 has 3 commands that are not decided"),
        ({"open_logs": ["events/0"]}, "events/0 has a transaction that is still open"),
        ({"connections": ["9 (idle for 0)"]}, "no worker lives, but it holds the connection 9 (idle for 0)"),
        (
            {"connections": ["9 (idle in transaction for 9)"], "workers": 1},
            "a worker holds the connection 9 (idle in transaction for 9)",
        ),
    ],
)
def test_whatever_is_left_behind_is_reported(changed: dict[str, Any], said: str) -> None:
    assert the_only(is_at_rest(replace(SOUND, **changed))) == said


def test_a_horizon_behind_its_lane_or_of_somebody_else_is_reported() -> None:
    cut = Cut({0: Position(7, NOON)}, "ours")

    assert list(is_published(cut, {0: Horizon(7, "ours")})) == []
    assert the_only(is_published(cut, {0: Horizon(5, "ours")})).startswith("lane 0 stands at 7, its horizon at 5")
    assert the_only(is_published(cut, {})).startswith("lane 0 stands at 7, its horizon at 0")
    assert the_only(is_published(cut, {0: Horizon(7, "theirs")})) == "lane 0 has a horizon of the installation theirs"


ASKED = Question("acme", "web", NOON)
GIVEN = Answer(ASKED, "main", "b-1", NOON - timedelta(1), None, NOON)


def test_an_answer_that_stands_is_as_it_should_be_also_when_the_binding_ended_since() -> None:
    ended = GIVEN._replace(until=NOON + timedelta(1), through=NOON + timedelta(2))

    assert list(stand([(GIVEN, GIVEN), (GIVEN, ended)])) == []


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (GIVEN._replace(account="spare"), "acme/web at 2026-11-23T12:00:00+00:00 was paid by main"),
        (GIVEN._replace(account=None, binding=None, since=None), "now by None"),
        (GIVEN._replace(binding="b-2"), "now by main (b-2"),
        (GIVEN._replace(until=NOON), "the binding was open through"),
    ],
)
def test_an_answer_that_changed_is_reported(now: Answer, said: str) -> None:
    assert said in the_only(stand([(GIVEN, now)]))


def test_an_instant_that_was_published_as_final_before_the_database_knew_it_is_reported() -> None:
    early = GIVEN._replace(through=NOON - timedelta(1))

    assert "was published as final" in the_only(stand([(early, GIVEN)]))


def test_a_report_names_every_claim_that_does_not_hold_in_their_order() -> None:
    report, messages = Report(), ["x"] * 20
    report.add("E10", messages[:1])
    report.add("E2", messages)
    with pytest.raises(Violated) as violated:
        report.close()

    assert violated.value.claims == {"E2", "E10"}
    assert _lines(violated.value)[-2:] == ["E2: and 8 more", "E10: x"]
    Report().close()


def _lines(violated: Violated) -> Sequence[str]:
    return str(violated).splitlines()


def test_something_of_another_instant_than_the_log_gives_its_command_is_reported() -> None:
    at_once = int(datetime.fromisoformat(moment(0)).timestamp() * 1000)
    instants = Instants()
    for offset in (0, 1):
        instants.lies(command(f"c-{offset}", offset, timestamp=at_once))
    sound = result("accepted", "c-0", 0), result("accepted", "c-1", 1, time=moment(0).replace("000000Z", "000001Z"))

    assert shown(instants.see, sound) == []
    assert f"is of {moment(0)}, but its command's instant is" in the_only(
        instants.see(result("accepted", "c-1", 1, time=moment(0)))
    )


def test_what_was_published_and_never_decided_is_reported() -> None:
    cut, past = Cut({0: Position(7, NOON)}, "ours"), Past()
    published = result("accepted", "c-8", 8)
    assert not cut.is_past(result("accepted", "c-6", 6))
    assert cut.is_past(published)
    past.see(published)

    assert list(past.is_committed({0: 9})) == []
    assert the_only(past.is_committed({0: 8})).endswith("was published, but lane 0 stands at 8")
