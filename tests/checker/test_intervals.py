"""E4: two payers at a time, overlaps, gaps and payers that are not Ready are reported, with the project."""

import pytest

from tests.checker.given import (
    account,
    established,
    event,
    moment,
    rebind,
    released,
    shown,
    superseded,
    the_only,
)
from tests.system.checker.intervals import Intervals
from tests.system.checker.messages import Message
from tests.system.checker.readiness import Readiness

HEIR = {"supersedes": "b-main-2", "previousAccount": "main", "previousCurrency": "EUR"}


def intervals(messages: list[Message]) -> list[str]:
    claim = Intervals()
    return [*shown(claim.see, messages), *claim.have_their_heirs()]


def test_a_rebind_without_a_gap_and_a_bind_after_a_release_are_as_they_should_be() -> None:
    after = [released(5, 7, "spare", 5), established(6, 9, "main")]

    assert intervals([*rebind(), *after]) == []


def test_a_second_open_binding_is_reported() -> None:
    found = intervals([*rebind()[:2], established(3, 5, "spare")])

    assert the_only(found).endswith("spare pays while main does")
    assert found[0].startswith("projects/acme/web (command 0/5/1)")


def test_a_gap_in_a_rebind_is_reported() -> None:
    assert any(f"leaves a gap: {moment(5)} to {moment(6)}" in wrong for wrong in intervals(rebind(offset=5, since=6)))


def test_an_interval_that_overlaps_the_one_before_it_is_reported() -> None:
    early = established(4, 9, "main", since=moment(4))
    found = intervals([*rebind()[:2], released(3, 5, "main", 2), early])

    assert any(f"begins at {moment(4)}, before the one before it ends, {moment(5)}" in wrong for wrong in found)


def test_an_end_of_a_binding_that_is_not_open_is_reported() -> None:
    assert "ends spare's binding, but main pays" in the_only(intervals([*rebind()[:2], released(3, 5, "spare", 2)]))


def test_an_interval_without_length_is_reported() -> None:
    assert "not after it began" in the_only(
        intervals([*rebind()[:1], established(2, 2, "main"), released(3, 2, "main", 2)])
    )


def test_a_supersession_without_its_heir_is_reported() -> None:
    assert "has nobody in place" in the_only(intervals(rebind()[:3]))


def test_another_heir_than_was_announced_is_reported() -> None:
    found = intervals([*rebind()[:2], superseded(3, 5, "main", 2, "spare"), established(4, 5, "third", **HEIR)])

    assert "is not who was announced" in the_only(found)


def test_a_heir_of_a_binding_that_was_released_is_reported() -> None:
    found = intervals([*rebind()[:2], released(3, 5, "main", 2), established(4, 5, "spare", **HEIR)])

    assert "supersedes a binding that nobody ended" in the_only(found)


def test_an_event_before_the_one_that_it_follows_is_reported() -> None:
    assert "before the one that it follows" in the_only(intervals([*rebind(), event("project.locked", "web", 5, 3)]))


def test_a_project_that_is_deleted_while_somebody_pays_is_reported() -> None:
    assert "while spare pays" in the_only(intervals([*rebind(), event("project.deleted", "web", 5, 9)]))


def readiness(messages: list[Message]) -> list[str]:
    claim = Readiness()
    return [*shown(claim.note, messages), *claim.holds()]


def phase(name: str, to: str, offset: int, bindings: int, sequence: int = 4) -> Message:
    return event("account.phase-changed", name, sequence, offset, to=to, activeBindings=bindings)


def test_ready_payers_are_as_they_should_be_in_whatever_order_the_topics_are_read() -> None:
    assert readiness([*rebind(), *account("main", 0), *account("spare", 1)]) == []


def in_lane(lane: int, messages: list[Message]) -> list[Message]:
    return [message._replace(place=message.place._replace(lane=lane)) for message in messages]


def test_an_organization_that_moves_to_a_lower_lane_is_as_it_should_be_and_what_is_wrong_there_is_found() -> None:
    before = in_lane(2, [*account("main", 0), *account("spare", 1), *rebind()[:2]])
    after = in_lane(1, rebind()[2:])

    assert readiness([*after, *before]) == []
    suspended = in_lane(2, [phase("spare", "Suspended", 3, 0)])
    assert "acme/spare takes a binding at 1/5/1 while it is Suspended" in readiness([*after, *suspended, *before])


@pytest.mark.parametrize("to", ["Suspended", "Archived"])
def test_a_payer_that_is_not_ready_is_reported(to: str) -> None:
    accounts = [*account("main", 0), *account("spare", 1), phase("spare", to, 3, 0)]
    found = readiness([*rebind(), *accounts])

    assert f"acme/spare takes a binding at 0/5/1 while it is {to}" in found


def test_a_payer_at_another_sequence_than_the_binding_says_is_reported() -> None:
    accounts = [*account("main", 0), *account("spare", 1), event("account.updated", "spare", 4, 3)]

    assert "acme/spare is at 4 when it takes a binding at 0/5/1, not at 3" in the_only(
        readiness([*rebind(), *accounts])
    )


def test_an_account_that_is_archived_while_it_pays_is_reported() -> None:
    accounts = [*account("main", 0), *account("spare", 1), phase("spare", "Archived", 6, 1)]

    assert "acme/spare is Archived at 0/6/0 with 1 bindings" in the_only(readiness([*rebind(), *accounts]))


def test_an_account_that_is_deleted_while_it_pays_is_reported() -> None:
    gone = event("account.deleted", "spare", 4, 6, lastBindingUntil=None)

    assert "acme/spare is deleted at 0/6/0 with 1 bindings" in the_only(
        readiness([*rebind(), *account("main", 0), *account("spare", 1), gone])
    )
