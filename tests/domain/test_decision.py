from dataclasses import replace
from uuid import UUID, uuid5

import pytest

from tests.domain.given import INSTALLATION
from worker.domain.decision import Reason, Refusal, Rejected, refuse
from worker.domain.values import Origin, Position

ORIGIN = Origin(INSTALLATION, "acme", "command-1", Position("billing.commands", 4, 17))


def test_nothing_is_rejected_without_a_reason() -> None:
    with pytest.raises(ValueError, match="no reason"):
        Rejected(())


def test_reasons_are_given_in_the_order_of_the_contract() -> None:
    backwards = tuple(Refusal(reason) for reason in reversed(Reason))

    assert [refusal.reason for refusal in Rejected(backwards).refusals] == list(Reason)


def test_several_refusals_for_one_reason_stay_in_the_order_in_which_they_were_found() -> None:
    found = (Refusal(Reason.INVALID_DATA, {"path": "/b"}), Refusal(Reason.INVALID_DATA, {"path": "/a"}))

    assert Rejected(found).refusals == found


def test_one_reason_is_given_with_its_details() -> None:
    assert refuse(Reason.PROFILE_IN_USE, count=2) == Rejected((Refusal(Reason.PROFILE_IN_USE, {"count": 2}),))


def test_ids_are_uuids_of_version_five_named_after_the_command() -> None:
    name = "acme/command-1/billing.commands/4/17/2"

    assert ORIGIN.event_id(2) == str(uuid5(INSTALLATION, f"event/{name}"))
    assert ORIGIN.binding_id(2) == str(uuid5(INSTALLATION, f"binding/{name}"))
    assert ORIGIN.hold_id(2) == str(uuid5(INSTALLATION, f"hold/{name}"))


def test_what_a_command_brings_about_is_counted_after_the_due_work_before_it() -> None:
    later = replace(ORIGIN, first_index=5)

    assert later.event_id(0) == ORIGIN.event_id(5)
    assert later.binding_id(0) == ORIGIN.binding_id(5)
    assert later.hold_id(0) == ORIGIN.hold_id(5)


def test_no_two_origins_give_the_same_id() -> None:
    position = ORIGIN.position
    others = [
        replace(ORIGIN, installation=UUID(int=1)),
        replace(ORIGIN, organization="globex"),
        replace(ORIGIN, command="command-2"),
        replace(ORIGIN, position=replace(position, topic="other.commands")),
        replace(ORIGIN, position=replace(position, partition=5)),
        replace(ORIGIN, position=replace(position, offset=18)),
        replace(ORIGIN, first_index=1),
    ]

    assert len({origin.event_id(0) for origin in [ORIGIN, *others]}) == 1 + len(others)
