"""Laws about where accounts stand, whatever is asked of them."""

from typing import get_args

from hypothesis import given

from tests.domain.given import HASTY
from tests.domain.histories import History, Step, histories, known_accounts, law, seeded, tell
from worker.domain.accounts import Account
from worker.domain.commands import AccountAction
from worker.domain.decision import Accepted
from worker.domain.events import AccountCreated, AccountDeleted, HoldPlaced, HoldReleased, PhaseChanged
from worker.domain.values import PROFILE_HOLDS, Phase, Rules


def changes(step: Step) -> list[PhaseChanged]:
    return [record.event for record in step.recorded if isinstance(record.event, PhaseChanged)]


def expected_phase(account: Account, rules: Rules) -> Phase:
    """The list in the contract, first match. Whoever was archived stays so."""
    if account.phase is Phase.ARCHIVED:
        return Phase.ARCHIVED
    if account.holds:
        return Phase.SUSPENDED
    if account.activated_at:
        return Phase.READY
    if not rules.payment_profile_required:
        return Phase.READY
    if account.serving and account.serving.is_valid:
        return Phase.READY
    return Phase.PROVISIONING


def test_seeded_histories_have_commands_on_accounts_in_every_phase() -> None:
    """A law says little about what no history comes upon."""
    found = set()
    for seed in range(60):
        for step in tell(seeded(seed)):
            account = step.before.accounts[step.account] if step.account else None
            if account and step.command:
                found.add((account.phase, type(step.command.action)))

    assert found == {(phase, kind) for phase in Phase for kind in get_args(AccountAction)}


@law
@given(histories())
def test_an_account_stands_where_its_holds_and_its_profile_put_it_after_each_of_its_commands(history: History) -> None:
    for step in tell(history):
        if step.account and isinstance(step.decision, Accepted):
            account = step.after.accounts[step.account]
            assert account
            if account.deleted_at is None:
                assert account.phase is expected_phase(account, step.rules)


@law
@given(histories())
def test_an_account_is_suspended_if_and_only_if_something_holds_it(history: History) -> None:
    for step in tell(history):
        for account in known_accounts(step.after):
            if account.phase is not Phase.ARCHIVED:
                assert (account.phase is Phase.SUSPENDED) == bool(account.holds)


@law
@given(histories())
def test_a_ready_account_is_never_provisioning_again(history: History) -> None:
    for step in tell(history):
        for change in changes(step):
            assert (change.left, change.entered) != (Phase.READY, Phase.PROVISIONING)
            assert change.activated_at is None or change.entered is not Phase.PROVISIONING


@law
@given(histories())
def test_a_command_changes_a_phase_at_most_once_unless_it_creates_the_account(history: History) -> None:
    for step in tell(history):
        if step.recorded and isinstance(step.recorded[0].event, AccountCreated):
            first, *more = changes(step)
            assert (first.left, first.entered, first.reason) == (None, Phase.PROVISIONING, "CREATED")
            assert [(change.left, change.reason) for change in more] in ([], [(Phase.PROVISIONING, "ACTIVATED")])
        else:
            assert len(changes(step)) <= 1
            assert all(change.left is not change.entered for change in changes(step))


@law
@given(histories())
def test_facts_come_first_holds_next_and_the_phase_last(history: History) -> None:
    ranks = {HoldPlaced: 1, HoldReleased: 1, PhaseChanged: 2}
    for step in tell(history):
        order = [ranks.get(type(record.event), 0) for record in step.recorded]
        assert order == sorted(order)


@law
@given(histories())
def test_a_change_of_phase_tells_how_the_account_stands(history: History) -> None:
    for step in tell(history):
        for change in changes(step)[-1:]:
            assert step.account
            organization, id_ = step.account
            before, after = step.before.accounts[organization, id_], step.after.accounts[organization, id_]
            assert after
            assert (change.entered, change.at) == (after.phase, after.phase_since)
            assert (change.holds, change.currency, change.activated_at) == (
                after.holds,
                after.currency,
                after.activated_at,
            )
            assert change.active_bindings == step.after.usage_of(step.account).active_bindings
            if before:
                assert (change.left, change.since) == (before.phase, before.phase_since)


@law
@given(histories())
def test_the_currency_and_the_activation_of_an_activated_account_never_change(history: History) -> None:
    for step in tell(history):
        for before in known_accounts(step.before):
            after = step.after.accounts[before.organization, before.id]
            assert after
            if before.activated_at:
                assert (after.currency, after.activated_at) == (before.currency, before.activated_at)


@law
@given(histories())
def test_profile_holds_come_one_at_a_time_and_only_after_activation(history: History) -> None:
    for step in tell(history):
        for account in known_accounts(step.after):
            held = [hold for hold in account.holds if hold.reason in PROFILE_HOLDS]
            assert len(held) <= (1 if account.activated_at else 0)
            assert all(hold.placed_by == "system:billing-worker" and not hold.blocks_rebind for hold in held)


@law
@given(histories())
def test_no_account_that_needs_a_profile_goes_on_with_an_invalid_one_after_losing_it(history: History) -> None:
    for step in tell([entry for entry in history if not isinstance(entry, Rules)]):
        assert step.rules == HASTY
        for account in known_accounts(step.after):
            if account.phase is Phase.READY:
                assert account.serving
                assert account.serving.is_valid


@law
@given(histories())
def test_holds_of_an_account_have_ids_of_their_own(history: History) -> None:
    for step in tell(history):
        for account in known_accounts(step.after):
            ids = [hold.id for hold in account.holds]
            assert len(ids) == len(set(ids))


@law
@given(histories())
def test_a_waiting_profile_waits_for_one_that_serves(history: History) -> None:
    for step in tell(history):
        for account in known_accounts(step.after):
            assert account.pending is None or (account.serving is not None and not account.pending.is_valid)


@law
@given(histories())
def test_nothing_happens_to_a_deleted_account_and_it_pays_for_nothing(history: History) -> None:
    for step in tell(history):
        for before in known_accounts(step.before):
            if before.deleted_at:
                key = before.organization, before.id
                assert step.after.accounts[key] == before
                assert step.after.usage_of(key).active_bindings == 0
        for record in step.recorded[:-1]:
            assert not isinstance(record.event, AccountDeleted)
