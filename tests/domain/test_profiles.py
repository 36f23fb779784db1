import pytest

from tests.domain.given import (
    NOON,
    Lane,
    attach,
    invalid,
    minute,
    open_account,
    pending,
    report_invalid,
    report_valid,
    valid,
)
from worker.domain.commands import AccountAction, BindProject, CreateAccount, DetachPaymentProfile
from worker.domain.decision import Reason, Refusal
from worker.domain.events import PaymentProfileAttached, PaymentProfileDetached, PaymentProfileReported
from worker.domain.values import InvalidCause, PaymentProfile

UNPAID = CreateAccount("amber", "EUR")


def profiles(lane: Lane) -> tuple[PaymentProfile | None, PaymentProfile | None]:
    return lane.account().serving, lane.account().pending


@pytest.mark.parametrize("profile", [pending("card-1"), valid("card-1")])
def test_the_first_profile_serves(profile: PaymentProfile) -> None:
    lane = Lane().given(UNPAID)

    assert lane.accepted(attach(profile))[0] == PaymentProfileAttached("amber", profile, None)
    assert profiles(lane) == (profile, None)


def test_a_valid_profile_serves_at_once_in_place_of_another() -> None:
    lane = Lane().given(open_account())

    assert lane.accepted(attach(valid("card-2"))) == [PaymentProfileAttached("amber", valid("card-2"), None)]
    assert profiles(lane) == (valid("card-2"), None)


def test_a_pending_profile_waits_while_a_valid_one_serves() -> None:
    lane = Lane().given(open_account())

    assert lane.accepted(attach(pending("card-2"))) == [
        PaymentProfileAttached("amber", valid("card-1"), pending("card-2"))
    ]
    assert profiles(lane) == (valid("card-1"), pending("card-2"))


def test_a_waiting_profile_gives_way_to_the_next_one() -> None:
    lane = Lane().given(open_account(), attach(pending("card-2")), attach(pending("card-3")))

    assert profiles(lane) == (valid("card-1"), pending("card-3"))


def test_a_pending_profile_takes_the_place_of_a_pending_one_that_serves() -> None:
    lane = Lane().given(UNPAID, attach(pending("card-1")), attach(pending("card-2")))

    assert profiles(lane) == (pending("card-2"), None)


def test_a_pending_profile_takes_the_place_of_an_invalid_one() -> None:
    lane = Lane().given(UNPAID, attach(pending("card-1")), report_invalid("card-1"), attach(pending("card-2")))

    assert profiles(lane) == (pending("card-2"), None)


def test_a_valid_profile_does_not_drop_the_one_that_waits() -> None:
    lane = Lane().given(open_account(), attach(pending("card-2")), attach(valid("card-3")))

    assert profiles(lane) == (valid("card-3"), pending("card-2"))


@pytest.mark.parametrize("profile", [pending("card-2"), valid("card-2")])
def test_a_waiting_profile_that_comes_to_serve_waits_no_longer(profile: PaymentProfile) -> None:
    lane = Lane().given(open_account(), attach(pending("card-2")), report_invalid("card-1"), attach(profile))

    assert profiles(lane) == (profile, None)


@pytest.mark.parametrize("same", [valid("card-1"), pending("card-2")])
def test_attaching_the_same_profile_again_changes_nothing(same: PaymentProfile) -> None:
    lane = Lane().given(open_account(), attach(pending("card-2")))

    assert lane.accepted(attach(same)) == []


def test_another_end_makes_another_profile() -> None:
    lane = Lane().given(open_account())

    lane.accepted(attach(valid("card-1", valid_until=minute(60))))

    assert profiles(lane) == (valid("card-1", valid_until=minute(60)), None)


def test_a_report_sets_what_the_provider_says() -> None:
    lane = Lane().given(UNPAID, attach(pending("card-1")))

    reported = invalid("card-1", InvalidCause.DECLINED)
    assert lane.accepted(report_invalid("card-1", InvalidCause.DECLINED)) == [
        PaymentProfileReported("amber", reported, serving=reported, pending=None)
    ]
    assert profiles(lane) == (reported, None)


def test_a_profile_that_is_valid_again_has_no_cause_any_more() -> None:
    lane = Lane().given(open_account(), report_invalid("card-1", InvalidCause.DECLINED), report_valid("card-1"))

    assert profiles(lane) == (valid("card-1"), None)


def test_a_waiting_profile_that_is_reported_valid_takes_over() -> None:
    lane = Lane().given(open_account(), attach(pending("card-2")))

    assert lane.accepted(report_valid("card-2", minute(60))) == [
        PaymentProfileReported("amber", valid("card-2", minute(60)), valid("card-2", minute(60)), None)
    ]
    assert profiles(lane) == (valid("card-2", minute(60)), None)


def test_a_waiting_profile_that_is_reported_invalid_is_dropped() -> None:
    lane = Lane().given(open_account(), attach(pending("card-2")))

    assert lane.accepted(report_invalid("card-2", InvalidCause.REVOKED)) == [
        PaymentProfileReported("amber", invalid("card-2", InvalidCause.REVOKED), valid("card-1"), None)
    ]
    assert profiles(lane) == (valid("card-1"), None)


@pytest.mark.parametrize("stale", [report_valid("card-1"), report_invalid("card-1"), report_valid("card-9")])
def test_a_report_on_any_other_profile_is_stale(stale: AccountAction) -> None:
    lane = Lane().given(open_account(), attach(valid("card-2")))

    assert lane.accepted(stale) == []
    assert profiles(lane) == (valid("card-2"), None)


def test_a_report_of_what_is_known_changes_nothing() -> None:
    lane = Lane().given(open_account())

    assert lane.accepted(report_valid("card-1")) == []


def test_a_report_on_an_account_without_profiles_is_stale() -> None:
    assert Lane().given(UNPAID).accepted(report_valid("card-1")) == []


def test_a_report_without_an_end_keeps_the_known_one() -> None:
    lane = Lane().given(UNPAID, attach(pending("card-1", valid_until=minute(60))), report_valid("card-1"))

    assert profiles(lane) == (valid("card-1", valid_until=minute(60)), None)


def test_a_report_without_an_end_drops_one_that_has_passed() -> None:
    lane = Lane().given(UNPAID, attach(pending("card-1", valid_until=minute(3))), report_valid("card-1"))

    assert profiles(lane) == (valid("card-1"), None)


def test_a_report_with_an_end_replaces_the_known_one() -> None:
    lane = Lane().given(UNPAID, attach(pending("card-1", minute(60))), report_valid("card-1", minute(90)))

    assert profiles(lane) == (valid("card-1", valid_until=minute(90)), None)


@pytest.mark.parametrize(
    ("action", "path"),
    [
        (CreateAccount("birch", "EUR", profile=valid("card-2", minute(2))), "/paymentProfile/validUntil"),
        (attach(valid("card-2", minute(2))), "/paymentProfile/validUntil"),
        (attach(valid("card-2", NOON)), "/paymentProfile/validUntil"),
        (report_valid("card-1", minute(2)), "/validUntil"),
        (report_valid("card-of-somebody-else", NOON), "/validUntil"),
        (report_valid("card-1", NOON, account="nobody"), "/validUntil"),
    ],
)
def test_nothing_is_valid_until_an_instant_that_has_come(action: AccountAction, path: str) -> None:
    lane = Lane().given(open_account())

    [refusal] = lane.refused(action, expected_version=99)

    assert refusal.message == "What is Valid must not be over yet."
    assert (refusal.reason, refusal.details) == (Reason.INVALID_DATA, {"path": path})


@pytest.mark.parametrize(
    "action",
    [
        CreateAccount("birch", "EUR", profile=pending("card-2", NOON)),
        CreateAccount("birch", "EUR", profile=valid("card-2", minute(3))),
        attach(pending("card-2", NOON)),
        attach(valid("card-2", minute(3))),
        report_valid("card-1", minute(3)),
    ],
)
def test_what_is_not_called_valid_may_be_over_and_what_is_valid_may_end_soon(action: AccountAction) -> None:
    Lane().given(open_account()).accepted(action)


def test_detaching_drops_the_serving_and_the_waiting_profile() -> None:
    lane = Lane().given(open_account(), attach(pending("card-2")))

    assert lane.accepted(DetachPaymentProfile("amber"))[0] == PaymentProfileDetached("amber", None, None)
    assert profiles(lane) == (None, None)


def test_detaching_nothing_changes_nothing() -> None:
    assert Lane().given(UNPAID).accepted(DetachPaymentProfile("amber")) == []


def test_profiles_stay_while_the_account_pays_for_projects() -> None:
    lane = Lane().given(open_account(), BindProject("atlas", "amber"))

    assert lane.refused(DetachPaymentProfile("amber")) == (Refusal(Reason.PROFILE_IN_USE, {"count": 1}),)
    assert profiles(lane) == (valid("card-1"), None)
