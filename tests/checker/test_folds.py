"""E5: states, rows and journal that are not what the events say are reported, with the key."""

from typing import Any

import pytest

from tests.checker.given import account, body_of, event, hold, moment, rebind, released, shown, the_only, written
from tests.system.checker.accounts import Accounts
from tests.system.checker.ledger import Ledger, mark_of
from tests.system.checker.messages import Json, Message, Place
from tests.system.checker.projects import Projects
from tests.system.checker.standing import Compacted, same

SUSPENDED: list[Message] = [
    *account("main", 0),
    event("account.hold-placed", "main", 4, 3, hold=hold("h-1", 3)),
    event(
        "account.phase-changed",
        "main",
        5,
        3,
        1,
        **{"from": "Ready", "to": "Suspended", "since": moment(0), "at": moment(3), "reason": "ADMINISTRATIVE"},
        holds=[hold("h-1", 3)],
        activeBindings=0,
        activatedAt=moment(0),
        currency="EUR",
    ),
]


def accounts(messages: list[Message]) -> tuple[Accounts, list[str]]:
    fold = Accounts()
    return fold, shown(fold.see, messages)


def test_the_events_of_an_account_add_up_to_its_state() -> None:
    fold, wrong = accounts(SUSPENDED)

    assert wrong == []
    state = fold.states["acme/main"]
    assert (state["phase"], state["phaseSince"], state["holds"]) == ("Suspended", moment(3), [hold("h-1", 3)])
    assert [phase[1] for phase in fold.phases["acme/main"]] == ["Provisioning", "Ready", "Suspended"]


def test_a_schedule_is_replaced_by_its_reason_and_ends_with_the_hold_that_it_becomes() -> None:
    entry: Json = {"account": "main", "message": "Because.", "scheduledBy": None, "scheduledAt": moment(1)}
    scheduled = [
        event("account.suspension-scheduled", "main", 4, 1, **entry, reason="NON_PAYMENT", dueAt=moment(9)),
        event("account.suspension-scheduled", "main", 5, 1, **entry, reason="NON_PAYMENT", dueAt=moment(5)),
        event("account.suspension-scheduled", "main", 6, 1, **entry, reason="ADMINISTRATIVE", dueAt=moment(4)),
    ]
    fold, _ = accounts([*account("main", 0), *scheduled])
    assert [one["dueAt"] for one in fold.states["acme/main"]["scheduled"]] == [moment(4), moment(5)]

    shown(fold.see, [event("account.hold-placed", "main", 7, 4, hold=hold("h-1", 4))])
    assert [one["dueAt"] for one in fold.states["acme/main"]["scheduled"]] == [moment(5)]


def test_a_release_of_a_hold_that_is_not_active_is_reported() -> None:
    release = event("account.hold-released", "main", 6, 4, hold="h-2", releasedBy="ops")

    assert "accounts/acme/main (command 0/4/0)" in the_only(accounts([*SUSPENDED, release])[1])


def test_an_event_of_an_account_that_was_never_created_is_reported() -> None:
    assert "never created" in the_only(accounts([event("account.updated", "main", 2, 1)])[1])


def test_a_phase_that_does_not_follow_from_the_one_before_is_reported() -> None:
    *rest, last = SUSPENDED
    spoilt = body_of(last)["data"] | {"from": "Provisioning"}

    assert "leaves Provisioning" in the_only(
        accounts([*rest, event("account.phase-changed", "main", 5, 3, 1, **spoilt)])[1]
    )


def test_the_events_of_a_project_add_up_to_its_timeline() -> None:
    fold = Projects()

    assert shown(fold.see, [*rebind(), released(5, 7, "spare", 5)]) == []
    state = fold.state("acme/web")
    assert [(one["account"], one["until"], one["reason"]) for one in state["timeline"]] == [
        ("main", moment(5), "SUPERSEDED"),
        ("spare", moment(7), "UNBOUND"),
    ]
    assert (state["payer"], state["sequence"], state["timelineSince"]) == (None, 5, moment(2))


def test_an_end_of_another_binding_than_the_last_is_reported() -> None:
    assert "not the last one" in the_only(shown(Projects().see, [*rebind()[:2], released(3, 7, "spare", 5)]))


def state(number: int, offset: int, data: Json) -> Message:
    return written("payer.state", "projects/acme/web", Place(0, offset, 3), data, sequence=number)


def compacted(*messages: Message) -> list[str]:
    fold = Projects()
    shown(fold.see, rebind())
    claim = Compacted(lambda key: fold.state(key) if key in fold.known else None)
    return [*shown(claim.see, messages), *claim.lead_to(fold.known)]


def payer() -> Json:
    fold = Projects()
    shown(fold.see, rebind())
    return fold.state("acme/web")


def test_a_compacted_topic_that_ends_in_the_state_is_as_it_should_be() -> None:
    assert compacted(state(2, 2, payer() | {"sequence": 2, "payer": None}), state(4, 5, payer())) == []


@pytest.mark.parametrize("changed", [{"payer": None}, {"locked": True}, {"timeline": []}])
def test_a_state_that_differs_from_what_the_events_say_is_reported(changed: Json) -> None:
    found = compacted(state(4, 5, payer() | changed))

    assert found[0].startswith(f"projects/acme/web (command 0/5/3) at events/0/5: {next(iter(changed))}:")


def test_a_compacted_topic_that_lacks_the_last_state_is_reported() -> None:
    assert "the newest record of acme/web is not its state" in the_only(
        compacted(state(2, 2, payer() | {"sequence": 2}))
    )


def test_a_tombstone_of_a_project_that_lives_is_reported() -> None:
    gone = Message(state(4, 5, payer()).record, Place(0, -1), None)

    assert any("is of something that is not gone" in wrong for wrong in compacted(state(4, 5, payer()), gone))


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([], "row a is missing"),
        ([("a", {"x": 2})], "row a: x: 2 instead of 1"),
        ([("a", {"x": 1}), ("b", {"x": 1})], "row b is there without an event, or twice"),
        ([("a", {"x": 1}), ("a", {"x": 1})], "row a is there without an event, or twice"),
    ],
)
def test_rows_that_are_not_what_the_events_say_are_reported(found: list[tuple[str, Any]], said: str) -> None:
    assert list(same("row", {"a": {"x": 1}}, [("a", {"x": 1})])) == []
    assert the_only(same("row", {"a": {"x": 1}}, found)) == said


def ledger(*messages: Message) -> Ledger:
    """A journal of these, which all go the same way."""
    made = Ledger()
    for message in messages:
        record = message.record
        made.enter(
            (0, record.topic, record.partition), message.place, mark_of(record.key, record.value, record.headers)
        )
    return made


def crossed(journal: Ledger, *messages: Message) -> list[tuple[str, str]]:
    found = [wrong for message in messages for wrong in journal.cross_off(message)]
    return [*found, *(("E5", wrong) for wrong in journal.is_published())]


def test_a_journal_that_was_published_in_its_order_is_as_it_should_be() -> None:
    assert crossed(ledger(*rebind()), *rebind()) == []


def test_a_row_of_the_journal_that_nobody_published_is_reported() -> None:
    first, second, third, fourth = rebind()

    assert crossed(ledger(*rebind()), first, second, third) == [("E5", "0/5/1 is in the journal, but not in events")]
    ((claim, said),) = crossed(ledger(*rebind()), first, third, fourth)
    assert (claim, said.partition(",")[0]) == ("E5", "0/2/1 is in the journal")
    assert second.place == Place(0, 2, 1)


def test_what_was_published_in_another_order_is_reported() -> None:
    first, second, third, fourth = rebind()
    found = crossed(ledger(*rebind()), first, third, second, fourth)

    assert [claim for claim, _ in found] == ["E5", "E5"]
    assert "is not where the journal has it" in found[1][1]


def test_what_was_published_and_is_not_in_the_journal_is_reported_as_rolled_back() -> None:
    *rest, last = rebind()

    assert crossed(ledger(*rest), *rest, last) == [
        ("E6", "projects/acme/web (command 0/5/1) at events/0/5 was published, but is not in the journal")
    ]
