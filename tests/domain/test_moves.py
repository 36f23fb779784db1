from dataclasses import replace

import pytest

from tests.domain.given import (
    AMBER_PAYS,
    APPROVAL,
    BIRCH_PAYS,
    Lane,
    amber_pays,
    minute,
    open_account,
    report_invalid,
    suspend,
    two_accounts,
)
from worker.domain.commands import (
    AccountAction,
    ArchiveAccount,
    BindProject,
    CreateAccount,
    DeleteAccount,
    DeleteProject,
    LockProject,
    MoveProjects,
    RegisterProject,
    UnbindProject,
)
from worker.domain.decision import Reason, Refusal
from worker.domain.events import BindingEstablished, BindingSuperseded
from worker.domain.values import HoldReason, Phase, Rules

MOVE_ALL = MoveProjects("amber", "birch")


def three_projects() -> Lane:
    """`amber` pays for `p1`, `p10` and `p2`; `birch` is Ready."""
    return two_accounts().given(*(BindProject(id_, "amber") for id_ in ("p2", "p10", "p1")))


def items(lane: Lane, action: MoveProjects) -> object:
    [refusal] = lane.refused(action)
    assert refusal.reason is Reason.MOVE_ITEMS_INELIGIBLE
    return refusal.details["items"]


@pytest.mark.parametrize("order", [MOVE_ALL, MoveProjects("amber", "birch", ("p2", "p1", "p10"), 3)])
def test_all_projects_move_at_one_instant_in_the_byte_order_of_their_ids(order: MoveProjects) -> None:
    lane = three_projects()
    olds = {id_: lane.payer(id_) for id_ in ("p1", "p10", "p2")}

    events = lane.accepted(order)

    assert [(type(event), event.project) for event in events if hasattr(event, "project")] == [
        (kind, id_) for id_ in ("p1", "p10", "p2") for kind in (BindingSuperseded, BindingEstablished)
    ]
    for id_, old in olds.items():
        new = lane.payer(id_)
        ended = BindingSuperseded(old.id, id_, "amber", old.since, minute(6), new.id, "birch", "EUR")
        began = BindingEstablished(new.id, id_, "birch", minute(6), "USD", 3, old.id, "amber", "EUR")
        at = events.index(ended)
        assert events[at : at + 2] == [ended, began]
    assert len({lane.payer(id_).id for id_ in olds}) == 3
    assert lane.book.usage_of(("acme", "amber")).active_bindings == 0
    assert lane.book.usage_of(("acme", "amber")).last_until == minute(6)
    assert lane.book.usage_of(("acme", "birch")).active_bindings == 3


def test_named_projects_move_and_the_others_stay() -> None:
    lane = three_projects().given(MoveProjects("amber", "birch", ("p10",)))

    assert {id_: lane.payer(id_).account for id_ in ("p1", "p10", "p2")} == {
        "p1": "amber",
        "p10": "birch",
        "p2": "amber",
    }


def test_where_nothing_is_bound_nothing_moves() -> None:
    assert two_accounts().accepted(MOVE_ALL) == []
    assert two_accounts().accepted(MoveProjects("amber", "birch", expected_count=0)) == []


@pytest.mark.parametrize(
    "source",
    [open_account("cedar"), CreateAccount("cedar", "EUR")],
)
@pytest.mark.parametrize("reason", [None, HoldReason.NON_PAYMENT])
def test_projects_leave_an_account_in_any_phase(source: CreateAccount, reason: HoldReason | None) -> None:
    lane = Lane().given(open_account("birch"), source)
    if source.profile is not None:
        lane.given(BindProject("atlas", "cedar"))
    if reason is not None:
        lane.given(suspend(reason, account="cedar"))

    assert len(lane.accepted(MoveProjects("cedar", "birch"))) == (2 if source.profile else 0)


def test_a_blocking_hold_on_the_source_keeps_its_projects() -> None:
    lane = three_projects().given(suspend(HoldReason.NON_PAYMENT), suspend(HoldReason.FRAUD_SUSPECTED))
    blocking = {"account": "amber", "holds": (lane.account().holds[1],)}

    for order in (MOVE_ALL, MoveProjects("amber", "birch", ("p1",))):
        assert lane.refused(order) == (Refusal(Reason.REBIND_BLOCKED_BY_HOLD, blocking),)


def test_projects_move_from_an_account_to_another() -> None:
    lane = three_projects()

    assert lane.refused(MoveProjects("amber", "amber")) == (Refusal(Reason.SAME_ACCOUNT),)
    assert lane.reasons(MoveProjects("nobody", "nobody")) == [Reason.ACCOUNT_NOT_FOUND, Reason.SAME_ACCOUNT]


def test_only_a_ready_account_takes_projects_over() -> None:
    lane = three_projects().given(report_invalid("card-1", account="birch"))
    standing = {"phase": Phase.SUSPENDED, "holds": lane.account("birch").holds}

    assert lane.refused(MOVE_ALL) == (Refusal(Reason.ACCOUNT_NOT_READY, standing),)
    lane.given(CreateAccount("cedar", "EUR"))
    [refusal] = lane.refused(MoveProjects("amber", "cedar"))
    assert refusal.details == {"phase": Phase.PROVISIONING, "holds": ()}


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (DeleteAccount("amber"), Reason.ACCOUNT_DELETED),
        (ArchiveAccount("amber", approval=APPROVAL), Reason.ACCOUNT_ARCHIVED),
        (None, Reason.ACCOUNT_NOT_FOUND),
    ],
)
def test_neither_side_of_a_move_may_be_gone(end: AccountAction | None, reason: Reason) -> None:
    lane = Lane().given(open_account("birch"), BindProject("atlas", "birch"))
    if end is not None:
        lane.given(open_account("amber"), end)

    assert lane.refused(MoveProjects("amber", "birch"), expected_version=99) == (Refusal(reason, {"account": "amber"}),)
    assert lane.refused(MoveProjects("birch", "amber")) == (Refusal(reason, {"account": "amber"}),)


def test_both_sides_are_told_if_both_are_gone() -> None:
    assert Lane().refused(MoveProjects("nobody", "nemo", expected_count=7)) == (
        Refusal(Reason.ACCOUNT_NOT_FOUND, {"account": "nobody"}),
        Refusal(Reason.ACCOUNT_NOT_FOUND, {"account": "nemo"}),
    )


def test_a_source_that_is_gone_is_not_asked_what_it_pays_for() -> None:
    lane = amber_pays().given(RegisterProject("free"))

    assert lane.reasons(MoveProjects("nobody", "birch", ("atlas",))) == [Reason.ACCOUNT_NOT_FOUND]
    assert lane.refused(MoveProjects("nobody", "birch", ("atlas", "free"))) == (
        Refusal(Reason.ACCOUNT_NOT_FOUND, {"account": "nobody"}),
        Refusal(Reason.MOVE_ITEMS_INELIGIBLE, {"items": [{"project": "free", "code": Reason.PROJECT_NOT_BOUND}]}),
    )


def test_a_move_is_written_against_the_version_of_its_source() -> None:
    lane = three_projects().given(suspend(account="birch"), suspend(HoldReason.ADMINISTRATIVE), suspend())

    [conflict, _] = lane.refused(MOVE_ALL, expected_version=3)

    assert conflict == Refusal(Reason.VERSION_CONFLICT, {"expected": 3, "actual": 6})
    assert lane.reasons(MOVE_ALL, expected_version=6) == [Reason.ACCOUNT_NOT_READY]


@pytest.mark.parametrize(
    ("projects", "expected", "actual"), [(None, 2, 3), (None, 0, 3), (("p1", "p2"), 3, 2), (("p1",), 0, 1)]
)
def test_a_move_may_expect_how_many_projects_it_moves(
    projects: tuple[str, ...] | None, expected: int, actual: int
) -> None:
    lane = three_projects()

    mismatch = Refusal(Reason.MOVE_COUNT_MISMATCH, {"expected": expected, "actual": actual})
    assert lane.refused(MoveProjects("amber", "birch", projects, expected)) == (mismatch,)
    lane.accepted(MoveProjects("amber", "birch", projects, actual))


def test_a_move_is_as_large_as_the_setting_allows() -> None:
    lane = three_projects().set(Rules(move_projects_max=2))

    for order in (MOVE_ALL, MoveProjects("amber", "birch", ("p1", "p10", "p2"))):
        assert lane.refused(order) == (Refusal(Reason.MOVE_TOO_LARGE, {"limit": 2, "actual": 3}),)
    lane.accepted(MoveProjects("amber", "birch", ("p1", "p10")))


def test_timelines_that_are_too_long_for_one_command_stay_where_they_are() -> None:
    """Their projects were not even looked up; what else stands against the move is told as well."""
    lane = three_projects()
    lane.book.is_overlong = True
    lane.book.projects.clear()
    named = ("p1", "p2")

    for order in (MOVE_ALL, replace(MOVE_ALL, projects=named)):
        [refusal] = lane.refused(order)
        assert (refusal.reason, refusal.details) == (Reason.MOVE_TOO_LARGE, {"intervalsMax": 100_000})
        assert refusal.message == "The timelines of these projects are too long for one command. Move them in several."
    lane.set(Rules(move_projects_max=2))
    assert lane.refused(MOVE_ALL) == (Refusal(Reason.MOVE_TOO_LARGE, {"limit": 2, "actual": 3}),)
    assert lane.reasons(MoveProjects("amber", "amber", named, 1)) == [
        Reason.SAME_ACCOUNT,
        Reason.MOVE_COUNT_MISMATCH,
        Reason.MOVE_TOO_LARGE,
    ]


def every_kind() -> Lane:
    """One project for each reason why it cannot move, one that can, and one that nobody knows."""
    lane = two_accounts().given(RegisterProject("never"))
    lane.given(*(BindProject(id_, "amber") for id_ in ("deleted", "fine", "locked", "released", "taken")))
    lane.given(DeleteProject("deleted"), LockProject("locked", "Stays."), UnbindProject("released"))
    return lane.given(BindProject("taken", "birch"), LockProject("taken", "Stays."))


EVERY_KIND = ("unknown", "taken", "released", "never", "locked", "fine", "deleted")


@pytest.mark.parametrize(
    ("rules", "unknown"),
    [(Rules(), Reason.PROJECT_NOT_BOUND), (Rules(strict_registry=True), Reason.PROJECT_NOT_FOUND)],
)
def test_every_project_that_cannot_move_is_told_in_byte_order_and_none_moves(rules: Rules, unknown: Reason) -> None:
    lane = every_kind().set(rules)

    assert items(lane, MoveProjects("amber", "birch", EVERY_KIND)) == [
        {"project": "deleted", "code": Reason.PROJECT_DELETED},
        {"project": "locked", "code": Reason.BINDING_LOCKED},
        {"project": "never", "code": Reason.PROJECT_NOT_BOUND},
        {"project": "released", "code": Reason.PROJECT_NOT_BOUND},
        {"project": "taken", "code": Reason.BINDING_CHANGED},
        {"project": "unknown", "code": unknown},
    ]
    assert lane.payer("fine").account == "amber"


def test_a_lock_keeps_all_projects_from_moving_together() -> None:
    lane = every_kind()

    assert items(lane, MOVE_ALL) == [{"project": "locked", "code": Reason.BINDING_LOCKED}]


def test_everything_that_stands_against_a_move_is_told_at_once() -> None:
    lane = every_kind().given(suspend(HoldReason.POLICY_VIOLATION), suspend(account="birch"))
    lane.set(Rules(move_projects_max=1))

    assert lane.reasons(MoveProjects("amber", "birch", EVERY_KIND, expected_count=9), expected_version=1) == [
        Reason.VERSION_CONFLICT,
        Reason.ACCOUNT_NOT_READY,
        Reason.REBIND_BLOCKED_BY_HOLD,
        Reason.MOVE_COUNT_MISMATCH,
        Reason.MOVE_TOO_LARGE,
        Reason.MOVE_ITEMS_INELIGIBLE,
    ]


def test_a_refusal_lists_five_thousand_projects_at_the_most() -> None:
    lane = two_accounts()
    lane.set(replace(lane.rules, move_projects_max=9_000))

    listed = items(lane, MoveProjects("amber", "birch", tuple(f"p{n}" for n in range(5_001))))

    assert isinstance(listed, list)
    assert len(listed) == 5_000


def test_a_project_that_moved_is_the_targets_to_move_on() -> None:
    lane = amber_pays().given(MOVE_ALL)

    assert lane.accepted(BIRCH_PAYS) == []
    lane.given(MoveProjects("birch", "amber", ("atlas",)))
    assert lane.accepted(AMBER_PAYS) == []
