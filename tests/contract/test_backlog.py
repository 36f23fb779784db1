"""A backlog that waited for the worker is decided as if the worker had always been there."""

from tests.contract.cases import ACTIVATED, VALID, Seen, Then, Told, bind, case, do, ready, soon
from tests.contract.laws import problems

WAITS = False
SETTINGS = {"RULES__SUSPENSION_NOTICE_SECONDS": "0"}
LATER = Then(2.5)


def test_everything_that_was_written_keeps_the_form(told: Told) -> None:
    assert problems(told) == []


@case(
    do("account.create", ACTIVATED, account="a", currency="EUR", paymentProfile=VALID | {"validUntil": soon(1.5)}),
    bind("early"),
    LATER,
    bind("late", expect="ACCOUNT_NOT_READY"),
)
def test_a_bind_before_an_expiry_is_taken_and_one_after_it_is_refused(seen: Seen) -> None:
    held = seen.details(2)["holds"]
    assert [hold["reason"] for hold in held] == ["PAYMENT_PROFILE_EXPIRED"]
    placed = next(event for event in seen.events if event["type"] == "billing.account.hold-placed.v1")
    assert seen.results[1]["time"] < placed["time"] <= seen.results[2]["time"]
    assert placed["time"] == placed["data"]["hold"]["placedAt"]
    assert seen.of("payer-at-risk", "early")
    assert seen.state("early")["payer"]["since"] == seen.results[1]["time"]


@case(
    ready(),
    ready("b"),
    do(
        "account.schedule-suspension",
        "suspension-scheduled",
        account="a",
        reason="FRAUD_SUSPECTED",
        dueAt=soon(1.5),
        message="So.",
    ),
    bind(),
    LATER,
    bind(account="b", expect="REBIND_BLOCKED_BY_HOLD"),
    do("project.unbind", "REBIND_BLOCKED_BY_HOLD", project="p"),
)
def test_a_suspension_that_was_due_comes_before_the_commands_after_it(seen: Seen) -> None:
    assert seen.phases()[-1] == ("Ready", "Suspended", "FRAUD_SUSPECTED")


@case(
    do("account.create", ACTIVATED, account="a", currency="EUR", paymentProfile=VALID | {"validUntil": soon(1.5)}),
    LATER,
    do(
        "account.report-payment-profile",
        "payment-profile-reported hold-released >Ready",
        account="a",
        externalId="pm-1",
        status="Valid",
        validUntil="2090-01-01T00:00:00Z",
    ),
    do("account.change-currency", "CURRENCY_LOCKED", account="a", currency="USD"),
)
def test_a_late_report_comes_after_the_expiry(seen: Seen) -> None:
    assert [to for _, to, _ in seen.phases()] == ["Provisioning", "Ready", "Suspended", "Ready"]
    announced = {event["id"] for result in seen.results for event in result["data"].get("events", [])}
    due = [event for event in seen.events if event["id"] not in announced]
    assert [event["type"].split(".")[2] for event in due][-2:] == ["hold-placed", "phase-changed"]


@case(ready(), *(bind(f"p-{number}", expect="*") for number in range(100)))
def test_every_command_has_an_instant_of_its_own(seen: Seen) -> None:
    times = [result["time"] for result in seen.results]
    assert times == sorted(set(times))
