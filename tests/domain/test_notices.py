"""Projects are told when their payer is suspended, and when it is not any more."""

from dataclasses import replace

import pytest

from tests.domain.given import (
    AMBER_PAYS,
    BIRCH_PAYS,
    UNBIND,
    Lane,
    amber_pays,
    minute,
    reactivate,
    report_invalid,
    suspend,
    two_accounts,
)
from worker.domain.accounts import evolve
from worker.domain.commands import BindProject, CreateAccount, DeleteProject, MoveProjects
from worker.domain.due import account_due_at, notices
from worker.domain.events import AccountDeleted, PayerAtRisk, PayerRestored, PhaseChanged
from worker.domain.values import HoldReason, NoticeKind, Notices, Phase

ACME_AMBER = ("acme", "amber")
UNPAID, LIMIT = HoldReason.NON_PAYMENT, HoldReason.SPENDING_LIMIT_REACHED


def suspended() -> Lane:
    """`amber` pays for `atlas` and is suspended at minute 4; nobody was told yet."""
    return amber_pays().given(suspend(UNPAID))


def test_the_projects_of_a_suspended_account_are_told_as_due_work() -> None:
    lane = suspended()
    assert lane.account().notices == Notices(NoticeKind.AT_RISK)
    assert account_due_at(lane.account()) == minute(4)

    assert lane.tick() == [PayerAtRisk("atlas", "amber", Phase.SUSPENDED, (UNPAID,), minute(4), 5)]

    assert lane.project().at_risk
    assert lane.account().notices is None
    assert lane.tick() == []


def test_a_notice_gives_each_reason_once() -> None:
    lane = amber_pays()
    untold = lane.project()
    lane.given(suspend(LIMIT, "case-1"), suspend(UNPAID, "case-2"), suspend(LIMIT, "case-3")).stands(untold)

    [notice] = notices(lane.book, ACME_AMBER, ["atlas"])

    assert isinstance(notice, PayerAtRisk)
    assert notice.reasons == (LIMIT, UNPAID)


def test_the_projects_that_were_at_risk_are_told_when_their_payer_is_ready_again() -> None:
    lane = suspended()
    lane.tick()
    lane.given(reactivate())
    assert lane.account().notices == Notices(NoticeKind.RESTORED)

    assert lane.tick() == [PayerRestored("atlas", "amber", Phase.READY, (), minute(6), 7)]

    assert not lane.project().at_risk
    assert lane.account().notices is None


def test_a_command_goes_on_before_the_notices_that_it_brings_about() -> None:
    lane = suspended().given(reactivate())

    assert [type(record.event) for record in lane.due] == [PayerAtRisk]
    assert [type(event) for event in lane.tick()] == [PayerRestored]


def test_whoever_was_not_at_risk_is_not_restored() -> None:
    lane = suspended()
    lane.tick()
    lane.given(reactivate(), BindProject("borealis", "amber"))

    assert [record.event.project for record in lane.due if isinstance(record.event, PayerRestored)] == ["atlas"]
    assert lane.tick() == []


def test_nobody_is_told_of_a_suspension_that_is_over_or_of_a_payer_that_it_left() -> None:
    lane = suspended()
    lane.book.progress(ACME_AMBER, None)
    lane.given(BIRCH_PAYS)
    assert notices(lane.book, ACME_AMBER, ["atlas"]) == []

    lane.given(BindProject("borealis", "birch"))
    assert notices(lane.book, ("acme", "birch"), ["atlas", "borealis"]) == []


def test_a_further_hold_is_no_further_notice() -> None:
    lane = suspended()
    lane.tick()

    lane.given(suspend(LIMIT), reactivate(reason=UNPAID))

    assert (lane.account().notices, lane.tick()) == (None, [])


def test_a_project_is_not_told_twice_of_the_same_payer_at_risk() -> None:
    lane = suspended()
    lane.tick()

    assert notices(lane.book, ACME_AMBER, ["atlas"]) == []


@pytest.mark.parametrize("away", [BIRCH_PAYS, UNBIND, DeleteProject("atlas"), MoveProjects("amber", "birch")])
def test_a_project_that_leaves_is_not_at_risk_any_more(away: BindProject) -> None:
    lane = suspended()
    lane.tick()
    assert lane.project().at_risk

    lane.given(away)

    assert not lane.project().at_risk
    lane.given(reactivate())
    assert lane.tick() == []


def test_a_project_is_at_risk_anew_with_its_next_payer() -> None:
    lane = suspended()
    lane.tick()

    lane.given(BIRCH_PAYS, suspend(account="birch"))

    [notice] = lane.tick()
    assert isinstance(notice, PayerAtRisk)
    assert notice.account == "birch"


def test_an_account_that_pays_for_nothing_has_nobody_to_tell() -> None:
    lane = two_accounts().given(suspend())
    assert lane.account().notices is None

    lane.given(reactivate())
    assert lane.account().notices is None


def test_an_account_that_is_activated_restores_nobody() -> None:
    lane = Lane().given(CreateAccount("amber", "EUR"), suspend(), reactivate())

    assert lane.account().notices is None


def test_notices_go_out_so_many_at_a_time_in_byte_order_and_the_suspension_does_not_wait() -> None:
    lane = two_accounts().given(*(BindProject(f"p{n}", "amber") for n in range(502)), suspend(UNPAID))
    assert lane.account().phase is Phase.SUSPENDED

    first = lane.tick()
    cursor = lane.account().notices

    in_order = sorted(f"p{n}" for n in range(502))
    assert [event.project for event in first if isinstance(event, PayerAtRisk)] == in_order[:500]
    assert cursor == Notices(NoticeKind.AT_RISK, after=in_order[499])
    assert account_due_at(lane.account()) == lane.account().phase_since
    assert [event.project for event in lane.tick() if isinstance(event, PayerAtRisk)] == in_order[500:]
    assert lane.tick() == []


def test_a_suspension_that_ends_before_all_were_told_restores_those_who_were() -> None:
    lane = two_accounts().given(*(BindProject(f"p{n}", "amber") for n in range(502)), suspend(UNPAID))
    lane.given(reactivate())

    restored = [*lane.tick(), *lane.tick()]

    assert [type(event) for event in restored] == [PayerRestored] * 500


def test_notices_of_an_account_that_expired_come_with_its_expiry() -> None:
    lane = two_accounts().given(AMBER_PAYS, report_invalid("card-1"))

    [notice] = lane.tick()

    assert isinstance(notice, PayerAtRisk)
    assert notice.reasons == (HoldReason.PAYMENT_PROFILE_INVALID,)


def test_how_far_notices_have_come_is_noted_for_the_store() -> None:
    lane = suspended()
    assert lane.book.progressed == set()

    lane.tick()

    assert lane.book.progressed == {ACME_AMBER}
    assert lane.book.copy().progressed == {ACME_AMBER}


def test_there_are_no_notices_of_an_account_that_nobody_knows() -> None:
    lane = two_accounts()
    lane.book.accounts["acme", "cedar"] = None

    with pytest.raises(ValueError, match="nobody knows"):
        lane.book.progress(("acme", "cedar"), None)
    assert notices(lane.book, ("acme", "cedar"), []) == []


@pytest.mark.parametrize("phase", [Phase.PROVISIONING, Phase.ARCHIVED])
def test_only_a_suspended_or_a_ready_payer_is_told_of(phase: Phase) -> None:
    lane = amber_pays()
    lane.stands(replace(lane.account(), phase=phase)).stands(replace(lane.project(), at_risk=True))

    assert notices(lane.book, ACME_AMBER, ["atlas"]) == []


def test_a_deleted_account_owes_no_notices() -> None:
    lane = two_accounts()
    lane.stands(replace(lane.account(), notices=Notices(NoticeKind.RESTORED)))

    deleted = evolve(lane.account(), AccountDeleted("amber", Phase.READY, None), "acme", lane.now)

    assert deleted.notices is None


@pytest.mark.parametrize(
    ("left", "entered", "owed"),
    [
        (Phase.READY, Phase.SUSPENDED, Notices(NoticeKind.AT_RISK)),
        (Phase.SUSPENDED, Phase.READY, Notices(NoticeKind.RESTORED)),
        (Phase.PROVISIONING, Phase.READY, None),
        (Phase.SUSPENDED, Phase.ARCHIVED, None),
        (Phase.SUSPENDED, Phase.PROVISIONING, None),
    ],
)
def test_a_change_of_phase_begins_its_own_notices_and_ends_all_others(
    left: Phase, entered: Phase, owed: Notices | None
) -> None:
    lane = suspended()
    change = PhaseChanged("amber", left, entered, minute(1), minute(9), "REACTIVATED", (), 1, minute(1), "EUR")
    for before in (None, Notices(NoticeKind.AT_RISK, "atlas"), Notices(NoticeKind.RESTORED, "atlas")):
        account = replace(lane.account(), notices=before)
        assert evolve(account, change, "acme", minute(9)).notices == owed
        assert evolve(account, replace(change, active_bindings=0), "acme", minute(9)).notices is None
