from dataclasses import replace

import pytest

from tests.domain.given import Lane, minute, open_account, pending, report_invalid, suspend, valid
from worker.domain.commands import (
    AccountAction,
    BindProject,
    ChangeCurrency,
    ChangePaymentTerms,
    CreateAccount,
    DeleteAccount,
    UnbindProject,
    UpdateAccount,
)
from worker.domain.decision import Reason, Refusal
from worker.domain.events import AccountCreated, AccountDeleted, AccountUpdated, CurrencyChanged, PaymentTermsChanged
from worker.domain.values import Contact, HoldReason, InvoiceFrequency, PaymentTerms, Phase

CONTACT = Contact("ada@example.com", "Ada")
QUARTERLY = PaymentTerms(14, 15, InvoiceFrequency.QUARTERLY)
FULL = CreateAccount(
    "amber",
    "EUR",
    display_name="Amber",
    contact=CONTACT,
    terms=QUARTERLY,
    profile=pending("card-1"),
    labels={"team": "a"},
)


def test_a_new_account_has_all_the_values_that_were_asked_for() -> None:
    lane = Lane()

    created = lane.accepted(FULL)[0]

    assert created == AccountCreated("amber", "EUR", "Amber", CONTACT, QUARTERLY, pending("card-1"), {"team": "a"})
    account = lane.account()
    assert (account.currency, account.display_name, account.contact) == ("EUR", "Amber", CONTACT)
    assert (account.terms, account.labels) == (QUARTERLY, {"team": "a"})
    assert (account.serving, account.pending) == (pending("card-1"), None)


def test_an_account_has_monthly_terms_unless_others_were_asked_for() -> None:
    lane = Lane().given(CreateAccount("amber", "EUR"))

    assert lane.account().terms == PaymentTerms(30, 1, InvoiceFrequency.MONTHLY)


def test_the_id_of_an_account_is_never_used_twice() -> None:
    lane = Lane().given(open_account())

    assert lane.reasons(open_account()) == [Reason.ACCOUNT_ALREADY_EXISTS]


def test_whoever_creates_an_account_that_exists_and_expects_none_is_told_only_that_it_exists() -> None:
    lane = Lane().given(open_account())

    assert lane.reasons(open_account(), expected_version=0) == [Reason.ACCOUNT_ALREADY_EXISTS]


def test_the_id_of_a_deleted_account_stays_used() -> None:
    lane = Lane().given(open_account(), DeleteAccount("amber"))

    assert lane.reasons(open_account()) == [Reason.ACCOUNT_ALREADY_EXISTS]


def test_what_an_update_does_not_name_is_kept() -> None:
    lane = Lane().given(FULL)

    assert lane.accepted(UpdateAccount("amber", display_name="Amber Ltd")) == [
        AccountUpdated("amber", "Amber Ltd", CONTACT, {"team": "a"})
    ]
    assert lane.account().display_name == "Amber Ltd"


def test_null_in_an_update_clears() -> None:
    lane = Lane().given(FULL)

    assert lane.accepted(UpdateAccount("amber", display_name=None, contact=None, labels=None)) == [
        AccountUpdated("amber", None, None, {})
    ]
    account = lane.account()
    assert (account.display_name, account.contact, account.labels) == (None, None, {})


def test_contact_and_labels_are_replaced_whole() -> None:
    lane = Lane().given(FULL)

    lane.accepted(UpdateAccount("amber", contact=Contact("bob@example.com"), labels={"cost-centre": "7"}))

    assert lane.account().contact == Contact("bob@example.com", None)
    assert lane.account().labels == {"cost-centre": "7"}


@pytest.mark.parametrize(
    "order",
    [
        UpdateAccount("amber"),
        UpdateAccount("amber", display_name="Amber"),
        UpdateAccount("amber", contact=CONTACT, labels={"team": "a"}),
        ChangeCurrency("amber", "EUR"),
        ChangePaymentTerms("amber", QUARTERLY),
    ],
)
def test_asking_for_what_is_so_already_changes_nothing(order: AccountAction) -> None:
    lane = Lane().given(FULL)
    before = lane.account()

    assert lane.accepted(order) == []
    assert lane.account() == before


def test_terms_are_replaced_whole() -> None:
    lane = Lane().given(FULL)

    assert lane.accepted(ChangePaymentTerms("amber", PaymentTerms(net_days=60))) == [
        PaymentTermsChanged("amber", PaymentTerms(60, 1, InvoiceFrequency.MONTHLY))
    ]
    assert lane.account().terms == PaymentTerms(net_days=60)


def test_the_currency_may_change_until_the_account_is_first_activated() -> None:
    lane = Lane().given(FULL)

    assert lane.accepted(ChangeCurrency("amber", "USD")) == [CurrencyChanged("amber", "USD")]
    assert lane.account().currency == "USD"


def test_the_currency_may_change_while_a_suspension_keeps_the_account_from_its_activation() -> None:
    lane = Lane().given(CreateAccount("amber", "EUR"), suspend())

    assert lane.accepted(ChangeCurrency("amber", "USD")) == [CurrencyChanged("amber", "USD")]


def test_the_currency_of_an_activated_account_is_locked() -> None:
    lane = Lane().given(open_account())

    assert lane.reasons(ChangeCurrency("amber", "USD")) == [Reason.CURRENCY_LOCKED]
    assert lane.account().currency == "EUR"


def test_the_currency_stays_locked_while_the_account_is_suspended() -> None:
    lane = Lane().given(open_account(), report_invalid("card-1"))

    assert lane.reasons(ChangeCurrency("amber", "USD")) == [Reason.CURRENCY_LOCKED]


def test_the_same_currency_is_no_change_even_when_locked() -> None:
    lane = Lane().given(open_account())

    assert lane.accepted(ChangeCurrency("amber", "EUR")) == []


def test_an_account_that_never_paid_can_be_deleted() -> None:
    lane = Lane().given(open_account())

    assert lane.accepted(DeleteAccount("amber")) == [AccountDeleted("amber", Phase.READY, None)]
    assert lane.account().deleted_at == minute(2)


@pytest.mark.parametrize("phase", list(Phase))
def test_an_account_can_be_deleted_in_any_phase(phase: Phase) -> None:
    lane = Lane().given(CreateAccount("amber", "EUR"))
    lane.stands(replace(lane.account(), phase=phase))

    assert lane.accepted(DeleteAccount("amber")) == [AccountDeleted("amber", phase, None)]


def test_a_deletion_tells_when_the_last_project_left() -> None:
    lane = Lane().given(open_account(), BindProject("atlas", "amber"), UnbindProject("atlas"))

    assert lane.accepted(DeleteAccount("amber")) == [AccountDeleted("amber", Phase.READY, minute(3))]


def test_an_account_that_pays_for_projects_cannot_be_deleted() -> None:
    lane = Lane().given(open_account(), BindProject("borealis", "amber"), BindProject("atlas", "amber"))

    assert lane.refused(DeleteAccount("amber")) == (
        Refusal(Reason.ACTIVE_BINDINGS, {"count": 2, "sample": ["atlas", "borealis"]}),
    )


def test_a_blocking_hold_keeps_an_account_from_being_deleted() -> None:
    lane = Lane().given(open_account(), suspend(HoldReason.FRAUD_SUSPECTED), suspend(HoldReason.NON_PAYMENT))
    blocking = lane.account().holds[0]

    assert lane.refused(DeleteAccount("amber")) == (Refusal(Reason.DELETE_BLOCKED_BY_HOLD, {"holds": (blocking,)}),)


def test_a_hold_that_blocks_nothing_does_not_keep_an_account_from_being_deleted() -> None:
    lane = Lane().given(open_account(), suspend(HoldReason.NON_PAYMENT))

    assert lane.accepted(DeleteAccount("amber")) == [AccountDeleted("amber", Phase.SUSPENDED, None)]


def test_everything_that_keeps_an_account_from_being_deleted_is_told_at_once() -> None:
    lane = Lane().given(open_account(), BindProject("atlas", "amber"), suspend(HoldReason.POLICY_VIOLATION))

    assert lane.reasons(DeleteAccount("amber"), expected_version=1) == [
        Reason.VERSION_CONFLICT,
        Reason.ACTIVE_BINDINGS,
        Reason.DELETE_BLOCKED_BY_HOLD,
    ]


def test_what_is_wrong_with_the_data_is_told_before_any_rule_is_judged() -> None:
    lane = Lane().given(open_account())
    over = CreateAccount("amber", "EUR", profile=valid("card-2", valid_until=minute(1)))

    assert lane.reasons(over, expected_version=9) == [Reason.INVALID_DATA]
