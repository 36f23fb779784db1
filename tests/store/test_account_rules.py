# ruff: noqa: S608  the statements are literals of this file
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.store.errors import violated_rule

ACCOUNT = """
INSERT INTO accounts (organization, account, sequence, phase, phase_since, currency, net_days, invoice_day_of_month,
    invoice_frequency, labels, holds_active, scheduled, created_at, active_bindings, activated_at, lane)
VALUES ('acme', 'main', 1, 'Ready', now(), 'EUR', 30, 1, 'Monthly', '{}', 0, '[]', now(), 0, now(), 3)
"""
HOLD = """
INSERT INTO holds (organization, account, sequence, hold, reason, message, blocks_rebind, derived, placed_at)
VALUES ('acme', 'main', 2, 'h1', 'NON_PAYMENT', 'pay', false, false, '2026-01-01Z')
"""
AGAIN = HOLD.replace("2, 'h1'", "3, 'h1'")
PROFILE_HOLD = HOLD.replace("NON_PAYMENT", "PAYMENT_PROFILE_MISSING")
OTHER_PROFILE_HOLD = HOLD.replace("2, 'h1', 'NON_PAYMENT'", "3, 'h2', 'PAYMENT_PROFILE_EXPIRED'")
RELEASE = "UPDATE holds SET released_at = '2026-01-02Z', released_by = 'ops'"
PHASE = "INSERT INTO phases VALUES ('acme', 'main', 3, now(), 'Ready', 'ACTIVATED')"
SERVING = "UPDATE accounts SET serving_type = 'card', serving_external_id = 'x', serving_status = 'Valid'"
SUSPENDED = "UPDATE accounts SET phase = 'Suspended', holds_active = 1"

ACCEPTED = {
    "a ready account": [ACCOUNT],
    "a hold placed anew": [ACCOUNT, HOLD, RELEASE, AGAIN],
    "a released profile hold and another": [ACCOUNT, PROFILE_HOLD, RELEASE, OTHER_PROFILE_HOLD],
    "a suspended account": [ACCOUNT, SUSPENDED],
    "an archived account with holds": [ACCOUNT, "UPDATE accounts SET phase = 'Archived', holds_active = 1"],
    "a serving profile": [ACCOUNT, SERVING],
    "notices of a suspension": [ACCOUNT, SUSPENDED + ", notices_kind = 'AT_RISK', notices_after = '', due_at = now()"],
    "a phase after another": [ACCOUNT, PHASE, PHASE.replace("3,", "4,")],
}


def change(values: str) -> list[str]:
    return [ACCOUNT, f"UPDATE accounts SET {values}"]


REFUSED = {
    "an id used twice": ([ACCOUNT, ACCOUNT], "an_account_id_is_used_once"),
    "an id in capitals": ([ACCOUNT.replace("'main'", "'Main'")], "account_is_a_dns_label"),
    "an organization without name": ([ACCOUNT.replace("'acme'", "''")], "organization_is_a_dns_label"),
    "a number zero": (change("sequence = 0"), "a_sequence_is_positive"),
    "an unknown phase": (change("phase = 'Closed'"), "a_phase_is_known"),
    "a currency in words": (change("currency = 'Euro'"), "a_currency_is_three_capitals"),
    "payment in two years": (change("net_days = 730"), "net_days_are_within_a_year"),
    "invoices on the 31st": (change("invoice_day_of_month = 31"), "an_invoice_day_is_in_every_month"),
    "invoices now and then": (change("invoice_frequency = 'Daily'"), "an_invoice_frequency_is_known"),
    "a contact without address": (change("contact_name = 'Jo'"), "a_contact_has_an_email"),
    "labels in a list": (change("labels = '[]'"), "labels_are_an_object"),
    "one scheduled suspension beside the list": (change("scheduled = '{}'"), "scheduled_suspensions_are_a_list"),
    "ready without activation": (change("activated_at = NULL"), "a_ready_account_was_activated"),
    "back to provisioning": (change("phase = 'Provisioning'"), "a_provisioning_account_never_was_activated"),
    "ready with holds": (change("holds_active = 1"), "holds_alone_suspend"),
    "suspended without holds": (change("phase = 'Suspended'"), "holds_alone_suspend"),
    "fewer than no holds": (change("holds_active = -1"), "holds_are_not_negative"),
    "half a serving profile": (change("serving_type = 'card'"), "a_serving_profile_is_whole"),
    "the end of no profile": (change("serving_valid_until = now()"), "a_serving_profile_is_whole"),
    "half a pending profile": (change("pending_type = 'card'"), "a_pending_profile_is_whole"),
    "an unknown status": ([ACCOUNT, SERVING.replace("Valid", "Good")], "a_profile_status_is_known"),
    "a cause for being valid": (
        [ACCOUNT, SERVING + ", serving_cause = 'Expired'"],
        "only_an_invalid_profile_has_a_cause",
    ),
    "a valid profile that waits": ([ACCOUNT, SERVING.replace("serving", "pending")], "a_waiting_profile_is_pending"),
    "a lane below the first": (change("lane = -1"), "a_lane_is_not_negative"),
    "notices without a place": (change("notices_kind = 'RESTORED', due_at = now()"), "notices_are_whole"),
    "notices of another phase": (
        change("notices_kind = 'AT_RISK', notices_after = '', due_at = now()"),
        "notices_tell_of_the_present_phase",
    ),
    "notices of no kind that is known": (
        change("notices_kind = 'BILL', notices_after = '', due_at = now()"),
        "notices_tell_of_the_present_phase",
    ),
    "notices that nobody sends": (change("notices_kind = 'RESTORED', notices_after = ''"), "notices_are_due"),
    "something due when archived": (change("phase = 'Archived', due_at = now()"), "who_is_gone_waits_for_nothing"),
    "something scheduled when deleted": (
        change("deleted_at = now(), scheduled = '[1]'"),
        "who_is_gone_waits_for_nothing",
    ),
    "a phase of nobody": ([PHASE], "a_phase_is_of_an_account"),
    "two phases from one event": ([ACCOUNT, PHASE, PHASE], "one_phase_begins_with_an_event"),
    "a phase that nobody knows": ([ACCOUNT, PHASE.replace("Ready", "Closed")], "a_phase_is_known"),
    "a first phase for another reason": (
        [ACCOUNT, PHASE.replace("3,", "2,")],
        "an_account_is_provisioning_at_first",
    ),
    "a second creation": ([ACCOUNT, PHASE.replace("ACTIVATED", "CREATED")], "an_account_is_provisioning_at_first"),
    "archived without closing": ([ACCOUNT, PHASE.replace("Ready", "Archived")], "an_archived_account_was_closed"),
    "another reason afterwards": (
        [ACCOUNT, PHASE, "UPDATE phases SET reason = 'REACTIVATED'"],
        "a_phase_is_written_once",
    ),
    "fewer than no bindings": (change("active_bindings = -1"), "active_bindings_are_not_negative"),
    "paying when deleted": (change("active_bindings = 1, deleted_at = now()"), "who_is_gone_pays_for_nothing"),
    "paying when archived": (change("active_bindings = 1, phase = 'Archived'"), "who_is_gone_pays_for_nothing"),
    "a hold on nobody": ([HOLD], "a_hold_is_of_an_account"),
    "a hold placed twice": ([ACCOUNT, HOLD, AGAIN], "one_active_hold_per_id"),
    "two profile holds": ([ACCOUNT, PROFILE_HOLD, OTHER_PROFILE_HOLD], "one_active_profile_hold_per_account"),
    "an unknown reason": ([ACCOUNT, HOLD.replace("NON_PAYMENT", "MOOD")], "a_hold_reason_is_known"),
    "a hold's id with a space": ([ACCOUNT, HOLD.replace("'h1'", "'h 1'")], "a_hold_id_is_well_formed"),
    "a release before the placing": (
        [ACCOUNT, HOLD, RELEASE.replace("2026", "2025")],
        "a_hold_is_released_after_it_was_placed",
    ),
    "half an approval": ([ACCOUNT, HOLD, RELEASE + ", approval_by = 'boss'"], "an_approval_is_whole"),
    "an approval of what goes by itself": (
        [ACCOUNT, HOLD, RELEASE + ", automatic = true, approval_by = 'boss', approval_reference = 'x'"],
        "what_goes_by_itself_needs_no_approval",
    ),
    "a releaser without release": (
        [ACCOUNT, HOLD.replace("placed_at)", "placed_at, released_by)").replace("Z')", "Z', 'ops')")],
        "only_a_released_hold_was_released_by_somebody",
    ),
    "a second release": ([ACCOUNT, HOLD, RELEASE, RELEASE], "a_hold_is_released_once"),
    "a release taken back": (
        [ACCOUNT, HOLD, RELEASE, "UPDATE holds SET released_at = NULL"],
        "a_hold_is_released_once",
    ),
    "another message": ([ACCOUNT, HOLD, "UPDATE holds SET message = 'never mind'"], "a_hold_is_released_once"),
    "another message in releasing": ([ACCOUNT, HOLD, RELEASE + ", message = 'never mind'"], "a_hold_is_released_once"),
    "a second installation": (["INSERT INTO installation (singleton) VALUES (false)"], "one_installation_per_database"),
}


async def run(connection: AsyncConnection, statements: list[str]) -> None:
    for statement in statements:
        await connection.execute(text(statement))


@pytest.mark.parametrize("statements", ACCEPTED.values(), ids=ACCEPTED.keys())
async def test_the_database_takes(connection: AsyncConnection, statements: list[str]) -> None:
    await run(connection, statements)


@pytest.mark.parametrize(("statements", "rule"), REFUSED.values(), ids=REFUSED.keys())
async def test_the_database_refuses(connection: AsyncConnection, statements: list[str], rule: str) -> None:
    with pytest.raises(DBAPIError) as refused:
        await run(connection, statements)

    assert violated_rule(refused.value) == rule
