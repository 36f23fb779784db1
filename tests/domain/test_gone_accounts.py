from dataclasses import replace

import pytest

from tests.domain.given import (
    NOON,
    Lane,
    attach,
    open_account,
    reactivate,
    report_invalid,
    suspend,
    valid,
)
from worker.domain.accounts import evolve
from worker.domain.commands import (
    AccountAction,
    ChangeCurrency,
    ChangePaymentTerms,
    CreateAccount,
    DeleteAccount,
    DetachPaymentProfile,
    UpdateAccount,
)
from worker.domain.decision import Reason, Refusal
from worker.domain.events import AccountDeleted, CurrencyChanged
from worker.domain.values import PaymentTerms, Phase

CHANGES: list[AccountAction] = [
    UpdateAccount("amber", display_name="Amber"),
    ChangeCurrency("amber", "USD"),
    ChangePaymentTerms("amber", PaymentTerms(net_days=7)),
    attach(valid("card-2")),
    report_invalid("card-1"),
    DetachPaymentProfile("amber"),
    suspend(),
    reactivate(),
]
NO_CHANGES: list[AccountAction] = [
    UpdateAccount("amber"),
    ChangeCurrency("amber", "EUR"),
    attach(valid("card-1")),
    report_invalid("card-of-somebody-else"),
]
EVERYTHING = [*CHANGES, *NO_CHANGES]


@pytest.mark.parametrize("action", [*EVERYTHING, DeleteAccount("amber")])
def test_nothing_can_be_asked_of_an_account_that_never_was(action: AccountAction) -> None:
    assert Lane().reasons(action, expected_version=5) == [Reason.ACCOUNT_NOT_FOUND]


@pytest.mark.parametrize("action", [*EVERYTHING, DeleteAccount("amber")])
def test_nothing_can_be_asked_of_a_deleted_account(action: AccountAction) -> None:
    lane = Lane().given(open_account(), DeleteAccount("amber"))

    assert lane.reasons(action, expected_version=5) == [Reason.ACCOUNT_DELETED]


@pytest.mark.parametrize("action", EVERYTHING)
def test_nothing_but_its_deletion_can_be_asked_of_an_archived_account(action: AccountAction) -> None:
    lane = Lane().given(open_account())
    lane.stands(replace(lane.account(), phase=Phase.ARCHIVED))

    assert lane.reasons(action, expected_version=5) == [Reason.ACCOUNT_ARCHIVED]
    assert lane.accepted(DeleteAccount("amber")) == [AccountDeleted("amber", Phase.ARCHIVED, None)]


def test_a_deleted_account_that_was_archived_is_deleted() -> None:
    lane = Lane().given(open_account())
    lane.stands(replace(lane.account(), phase=Phase.ARCHIVED)).given(DeleteAccount("amber"))

    assert lane.reasons(suspend()) == [Reason.ACCOUNT_DELETED]


def test_an_account_of_another_organization_is_not_found() -> None:
    lane = Lane()
    lane.send(open_account(), organization="globex")

    assert lane.reasons(suspend()) == [Reason.ACCOUNT_NOT_FOUND]


@pytest.mark.parametrize("action", EVERYTHING)
def test_a_command_written_against_another_version_conflicts(action: AccountAction) -> None:
    lane = Lane().given(open_account(), suspend())

    assert Refusal(Reason.VERSION_CONFLICT, {"expected": 4, "actual": 5}) in lane.refused(action, expected_version=4)


def test_a_command_written_against_the_last_event_of_the_account_is_judged() -> None:
    lane = Lane().given(open_account())

    lane.accepted(UpdateAccount("amber", display_name="Amber"), expected_version=3)

    assert lane.account().sequence == 4


def test_an_account_that_exists_is_not_at_version_zero() -> None:
    lane = Lane().given(open_account())

    assert lane.reasons(suspend(), expected_version=0) == [Reason.VERSION_CONFLICT]


def test_a_conflict_does_not_hide_what_else_stands_against_a_command() -> None:
    lane = Lane().given(open_account())

    assert lane.reasons(ChangeCurrency("amber", "USD"), expected_version=1) == [
        Reason.VERSION_CONFLICT,
        Reason.CURRENCY_LOCKED,
    ]


def test_a_new_account_is_expected_at_version_zero() -> None:
    lane = Lane()

    assert lane.reasons(CreateAccount("amber", "EUR"), expected_version=1) == [Reason.VERSION_CONFLICT]
    lane.accepted(CreateAccount("amber", "EUR"), expected_version=0)


def test_an_event_of_an_account_that_was_never_created_is_a_defect() -> None:
    with pytest.raises(ValueError, match="CurrencyChanged of an account that was never created"):
        evolve(None, CurrencyChanged("amber", "USD"), "acme", NOON)
