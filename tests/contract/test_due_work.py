"""What time alone brings about: expiries, scheduled suspensions, tombstones; with a worker that is there."""

from tests.contract.cases import (
    ACTIVATED,
    APPROVAL,
    CREATED,
    VALID,
    Seen,
    Step,
    Then,
    Told,
    bind,
    case,
    do,
    reactivate,
    ready,
    soon,
    suspend,
)
from tests.contract.laws import problems

SETTINGS = {"RULES__SUSPENSION_NOTICE_SECONDS": "2", "RULES__TOMBSTONE_AFTER_SECONDS": "2"}
SETTLE_SECONDS = 4
DUE = 3.0
PASSED = Then(DUE + 1.5)
WORKER = "system:billing-worker"


def expiring(expect: str = ACTIVATED, status: str = "Valid") -> Step:
    profile = VALID | {"validUntil": soon(DUE), "status": status}
    return do("account.create", expect, account="a", currency="EUR", paymentProfile=profile)


def schedule(reason: str = "NON_PAYMENT") -> Step:
    kind = "account.schedule-suspension"
    return do(kind, "suspension-scheduled", account="a", reason=reason, dueAt=soon(DUE), message="Due.")


def test_everything_that_was_written_keeps_the_form(told: Told) -> None:
    assert problems(told) == []


@case(
    expiring(),
    bind(),
    PASSED,
    bind("q", expect="ACCOUNT_NOT_READY"),
    do(
        "account.report-payment-profile",
        "payment-profile-reported hold-released >Ready",
        account="a",
        externalId="pm-1",
        status="Valid",
        validUntil="2090-01-01T00:00:00Z",
    ),
    bind("q"),
)
def test_a_profile_expires_by_itself_and_a_report_brings_the_account_back(seen: Seen) -> None:
    assert seen.phases()[2:] == [
        ("Ready", "Suspended", "PAYMENT_PROFILE_EXPIRED"),
        ("Suspended", "Ready", "REACTIVATED"),
    ]
    placed = seen.one("hold-placed")["hold"]
    assert (placed["reason"], placed["blocksRebind"]) == ("PAYMENT_PROFILE_EXPIRED", False)
    fallen = seen.of("phase-changed")[2]
    assert (fallen["activeBindings"], [hold["reason"] for hold in fallen["holds"]]) == (1, ["PAYMENT_PROFILE_EXPIRED"])
    assert fallen["at"] == placed["placedAt"]
    assert seen.results[1]["time"] < fallen["at"] < seen.results[2]["time"]
    event = next(each for each in seen.events if each["data"] == fallen)
    assert event["actor"] == WORKER
    assert seen.one("hold-released")["automatic"] is True
    risk, restored = seen.one("payer-at-risk", "p"), seen.one("payer-restored", "p")
    assert (risk["phase"], risk["reasons"], risk["since"]) == ("Suspended", ["PAYMENT_PROFILE_EXPIRED"], fallen["at"])
    assert (restored["phase"], restored["since"]) == ("Ready", seen.results[3]["time"])
    assert seen.of("payer-at-risk", "q") == seen.of("payer-restored", "q") == []


@case(
    do(
        "account.create",
        CREATED,
        account="a",
        currency="EUR",
        paymentProfile=VALID | {"status": "Pending", "validUntil": soon(DUE)},
    ),
    PASSED,
    do("account.update", "updated", account="a", displayName="x"),
)
def test_a_profile_of_an_account_never_activated_expires_without_hold(seen: Seen) -> None:
    assert seen.of("hold-placed") == []
    assert seen.state("a")["phase"] == "Provisioning"


@case(expiring(), suspend("hold-placed >Suspended"), PASSED, reactivate("hold-released", all=True))
def test_a_profile_expires_while_suspended_too(seen: Seen) -> None:
    assert [hold["reason"] for hold in seen.state("a")["holds"]] == ["PAYMENT_PROFILE_EXPIRED"]
    assert seen.phases()[-1] == ("Ready", "Suspended", "NON_PAYMENT")


@case(
    expiring(),
    do(
        "account.report-payment-profile",
        "payment-profile-reported",
        account="a",
        externalId="pm-1",
        status="Valid",
        validUntil=soon(60),
    ),
    PASSED,
    bind(),
)
def test_a_profile_that_was_prolonged_does_not_expire_at_the_old_instant(seen: Seen) -> None:
    assert len(seen.phases()) == 2


@case(
    ready(),
    bind(),
    schedule(),
    schedule("ADMINISTRATIVE"),
    do("account.cancel-suspension", "suspension-cancelled", account="a", reason="ADMINISTRATIVE"),
    PASSED,
    bind("q", expect="ACCOUNT_NOT_READY"),
    do("account.cancel-suspension", "SUSPENSION_NOT_SCHEDULED", account="a", reason="NON_PAYMENT"),
    reactivate("hold-released >Ready", reason="NON_PAYMENT"),
)
def test_a_scheduled_suspension_begins_when_it_is_due_and_a_cancelled_one_does_not(seen: Seen) -> None:
    hold = seen.one("hold-placed")["hold"]
    assert (hold["reason"], hold["message"], hold["blocksRebind"]) == ("NON_PAYMENT", "Due.", False)
    assert seen.phases()[2] == ("Ready", "Suspended", "NON_PAYMENT")
    assert seen.state("a")["scheduled"] == []
    assert hold["placedAt"] >= seen.of("suspension-scheduled")[0]["dueAt"]
    assert len(seen.of("payer-at-risk", "p")) == len(seen.of("payer-restored", "p")) == 1


@case(ready(), schedule("FRAUD_SUSPECTED"), PASSED, do("account.update", "", account="a"))
def test_a_scheduled_suspension_blocks_as_its_reason_does(seen: Seen) -> None:
    assert seen.one("hold-placed")["hold"]["blocksRebind"] is True


@case(
    ready(),
    schedule(),
    do("account.archive", ">Archived|suspension-cancelled >Archived", account="a", approval=APPROVAL),
    PASSED,
    do("account.update", "ACCOUNT_ARCHIVED", account="a"),
)
def test_archiving_ends_what_was_scheduled(seen: Seen) -> None:
    assert seen.of("hold-placed") == []
    assert seen.state("a")["scheduled"] == []


@case(
    expiring(),
    schedule(),
    do("account.delete", "deleted", account="a"),
    PASSED,
    do("account.update", "ACCOUNT_DELETED", account="a"),
)
def test_nothing_falls_due_for_a_deleted_account(seen: Seen) -> None:
    assert seen.of("hold-placed") == []


@case(
    ready(),
    bind(),
    bind("kept"),
    do("project.unbind", "released payer-missing", project="kept"),
    do("project.delete", "released project-deleted|project-deleted released", project="p"),
    do("project.delete", "project-deleted|registered project-deleted", project="unknown"),
    PASSED,
    do("project.delete", "", project="p"),
    bind(expect="PROJECT_DELETED"),
)
def test_a_deleted_projects_record_ends_with_one_tombstone_and_is_still_deleted(seen: Seen) -> None:
    for project in ("p", "unknown"):
        assert seen.states[project][-1] is None
        assert seen.states[project].count(None) == 1
    assert seen.states["kept"].count(None) == 0
    assert seen.states["a"].count(None) == 0
    assert seen.state("kept")["payer"] is None


@case(
    ready(),
    ready("b"),
    bind(),
    bind("q"),
    Then(),
    suspend("hold-placed >Suspended"),
    reactivate("hold-released >Ready", all=True),
    Then(1.5),
    suspend("hold-placed >Suspended"),
    Then(1.5),
    suspend("hold-placed", reason="ADMINISTRATIVE"),
    reactivate("hold-released", reason="NON_PAYMENT"),
    do("project.unbind", "released payer-missing", project="p"),
    Then(1.5),
    reactivate("hold-released >Ready", all=True),
)
def test_restored_goes_only_to_projects_that_were_at_risk_for_it_and_still_pay(seen: Seen) -> None:
    for project in ("p", "q"):
        risks, restored = seen.of("payer-at-risk", project), seen.of("payer-restored", project)
        assert len(restored) <= len(risks)
    assert seen.of("payer-at-risk", "q")[-1]["since"] == seen.results[6]["time"]
    assert seen.of("payer-restored", "q")[-1]["since"] == seen.results[10]["time"]
    assert all(each["since"] != seen.results[10]["time"] for each in seen.of("payer-restored", "p"))


@case(ready(), Then(), do("account.update", "updated", account="a", displayName="x"))
def test_horizons_tell_through_which_instant_answers_are_complete(seen: Seen, told: Told) -> None:
    names = told.deployment.settings.topics
    newest: dict[str, tuple[str, int]] = {}
    for name, found in told.seen.items():
        for partition, records in found.states.items() if name == names.commands else ():
            for record in records:
                assert record is not None
                here = (record["data"]["through"], record["data"]["offset"])
                assert here >= newest.get(partition, here)
                newest[partition] = here
    assert sorted(newest) == ["0", "1", "2"]
    partition = seen.results[-1]["commandposition"].split("/")[1]
    assert newest[partition][0] > seen.results[-1]["time"]
