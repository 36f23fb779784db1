"""Payment profiles, and the holds that they place and release by themselves."""

from typing import Any

from tests.contract.cases import (
    APPROVAL,
    CREATED,
    PENDING,
    Seen,
    Step,
    Told,
    bind,
    case,
    do,
    reactivate,
    ready,
    suspend,
)
from tests.contract.laws import problems

ATTACHED, REPORTED, DETACHED = (f"payment-profile-{word}" for word in ("attached", "reported", "detached"))
FALLEN = f"{REPORTED} hold-placed >Suspended"


def attach(expect: str, externalid: str = "pm-1", **data: Any) -> Step:
    profile = {"type": "card", "externalId": externalid} | data
    return do("account.attach-payment-profile", expect, account="a", paymentProfile=profile)


def report(expect: str, status: str = "Valid", externalid: str = "pm-1", **data: Any) -> Step:
    kind = "account.report-payment-profile"
    return do(kind, expect, **{"account": "a", "externalId": externalid, "status": status} | data)


def detach(expect: str) -> Step:
    return do("account.detach-payment-profile", expect, account="a")


def profiles(seen: Seen) -> list[tuple[str, str] | None]:
    """Id and status of the serving and the pending one."""
    state = seen.state("a")["paymentProfiles"]
    assert state.keys() == {"serving", "pending"}
    return [each and (each["externalId"], each["status"]) for each in (state["serving"], state["pending"])]


def holds(seen: Seen) -> list[str]:
    return sorted(hold["reason"] for hold in seen.state("a")["holds"])


def test_everything_that_was_written_keeps_the_form(told: Told) -> None:
    assert problems(told) == []


@case(
    ready(),
    attach(ATTACHED, "pm-2"),
    attach("", "pm-2"),
    attach("", status="Valid"),
    attach(ATTACHED, "pm-3", status="Pending"),
    report("", externalid="pm-2"),
    report("", "Invalid", "pm-2"),
    report(REPORTED, externalid="pm-3"),
)
def test_a_pending_profile_waits_replaces_an_earlier_one_and_takes_over_when_valid(seen: Seen) -> None:
    first, second = seen.of("profile-attached")
    assert first["paymentProfiles"]["pending"]["externalId"] == "pm-2"
    assert second["paymentProfiles"]["pending"]["externalId"] == "pm-3"
    assert second["paymentProfiles"]["serving"]["externalId"] == "pm-1"
    assert profiles(seen) == [("pm-3", "Valid"), None]
    assert len(seen.phases()) == 2


@case(ready(), attach(ATTACHED, "pm-2"), report(REPORTED, "Invalid", "pm-2", cause="Declined"))
def test_a_pending_profile_that_is_invalid_is_dropped(seen: Seen) -> None:
    assert profiles(seen) == [("pm-1", "Valid"), None]
    assert seen.state("a")["phase"] == "Ready"


@case(do("account.create", CREATED, account="a", currency="EUR", paymentProfile=PENDING), report(f"{REPORTED} >Ready"))
def test_a_serving_profile_that_turns_valid_activates_the_account(seen: Seen) -> None:
    assert seen.phases()[-1] == ("Provisioning", "Ready", "ACTIVATED")
    assert profiles(seen) == [("pm-1", "Valid"), None]


@case(
    ready(),
    attach(ATTACHED, "pm-2", status="Valid"),
    attach(ATTACHED, "pm-3", status="Valid", validUntil="2090-01-01T00:00:00Z"),
)
def test_a_valid_profile_serves_at_once(seen: Seen) -> None:
    assert profiles(seen)[0] == ("pm-3", "Valid")


@case(
    ready(),
    report(FALLEN, "Invalid", cause="Declined"),
    bind(expect="ACCOUNT_NOT_READY"),
    reactivate("HOLD_NOT_RELEASABLE", reason="PAYMENT_PROFILE_INVALID"),
    suspend("hold-placed"),
    reactivate("hold-released", all=True),
    report(f"{REPORTED} hold-released >Ready"),
    bind(),
)
def test_an_invalid_profile_places_its_hold_and_a_valid_one_releases_it_by_itself(seen: Seen) -> None:
    placed = seen.of("hold-placed")[0]["hold"]
    assert (placed["reason"], placed["placedAt"]) == ("PAYMENT_PROFILE_INVALID", seen.results[1]["time"])
    released = seen.of("hold-released")[-1]
    assert (released["hold"], released["automatic"]) == (placed["hold"], True)
    assert "approval" not in released
    assert seen.phases()[2:] == [
        ("Ready", "Suspended", "PAYMENT_PROFILE_INVALID"),
        ("Suspended", "Ready", "REACTIVATED"),
    ]
    assert seen.details(2)["phase"] == "Suspended"
    assert [hold["reason"] for hold in seen.details(2)["holds"]] == ["PAYMENT_PROFILE_INVALID"]
    assert [hold["reason"] for hold in seen.of("phase-changed")[2]["holds"]] == ["PAYMENT_PROFILE_INVALID"]


@case(ready(), report(FALLEN, "Invalid"), attach(f"{ATTACHED} hold-released >Ready", "pm-2", status="Valid"))
def test_another_valid_profile_releases_the_profile_hold(seen: Seen) -> None:
    assert holds(seen) == []


@case(
    ready(),
    report(FALLEN, "Invalid"),
    attach(ATTACHED, "pm-2"),
    report(f"{REPORTED} hold-released >Ready", externalid="pm-2"),
)
def test_a_pending_profile_serves_when_the_serving_one_is_not_valid(seen: Seen) -> None:
    attached = seen.one("profile-attached")["paymentProfiles"]
    assert (attached["serving"]["externalId"], attached["pending"]) == ("pm-2", None)


@case(
    ready(),
    suspend("hold-placed >Suspended"),
    report(f"{REPORTED} hold-placed", "Invalid"),
    report(f"{REPORTED} hold-released"),
)
def test_the_profile_hold_comes_while_suspended_too(seen: Seen) -> None:
    assert holds(seen) == ["NON_PAYMENT"]


@case(
    ready(),
    detach(f"{DETACHED} hold-placed >Suspended"),
    detach(""),
    attach(f"{ATTACHED} hold-released >Ready", status="Valid"),
)
def test_a_detached_profile_is_missing(seen: Seen) -> None:
    assert seen.one("profile-detached")["paymentProfiles"] == {"serving": None, "pending": None}
    assert seen.phases()[2] == ("Ready", "Suspended", "PAYMENT_PROFILE_MISSING")


@case(ready(), report(FALLEN, "Invalid"), detach("*"))
def test_there_is_one_profile_hold_at_a_time(seen: Seen) -> None:
    assert len(holds(seen)) == 1
    assert seen.results[2]["type"] == "billing.command.accepted.v1"


@case(
    ready(),
    attach(ATTACHED, "pm-2"),
    bind(),
    detach("PROFILE_IN_USE"),
    do("project.unbind", "released payer-missing", project="p"),
    detach(f"{DETACHED} hold-placed >Suspended"),
)
def test_a_profile_in_use_is_not_detached(seen: Seen) -> None:
    assert profiles(seen) == [None, None]


@case(
    do("account.create", CREATED, account="a", currency="EUR", paymentProfile=PENDING),
    report(REPORTED, "Invalid", cause="Removed"),
    detach(DETACHED),
    detach(""),
    report("", "Valid"),
    reactivate("HOLD_NOT_FOUND", all=True),
)
def test_an_account_never_activated_gets_no_profile_hold(seen: Seen) -> None:
    assert seen.state("a")["holds"] == []
    assert seen.state("a")["phase"] == "Provisioning"


@case(
    ready(),
    report("INVALID_DATA", validUntil="2020-01-01T00:00:00Z"),
    report("INVALID_DATA", cause="Declined"),
    report("INVALID_DATA", "Invalid", cause="declined"),
    report("INVALID_DATA", "Pending"),
    report("", "Invalid", "pm-other", cause="Revoked"),
)
def test_a_report_is_refused_when_it_contradicts_itself_and_stale_when_it_is_of_another(seen: Seen) -> None:
    assert seen.paths(1) == ["/validUntil"]
    assert seen.paths(2) == ["/cause"]
    assert seen.state("a")["sequence"] == 3


@case(ready(), report(REPORTED, validUntil="2090-01-01T00:00:00+02:00"))
def test_a_report_may_prolong_the_profile(seen: Seen) -> None:
    assert seen.one("profile-reported")["paymentProfiles"]["serving"]["validUntil"] == "2089-12-31T22:00:00.000000Z"


@case(
    do("account.create", CREATED, account="a", currency="EUR"),
    suspend("hold-placed >Suspended"),
    attach(ATTACHED, status="Valid"),
    do("account.change-currency", "currency-changed", account="a", currency="USD"),
    reactivate("hold-released >Ready", reason="NON_PAYMENT"),
    do("account.change-currency", "CURRENCY_LOCKED", account="a", currency="EUR"),
)
def test_a_suspended_account_is_activated_when_its_last_hold_is_released(seen: Seen) -> None:
    assert seen.phases()[1:3] == [
        ("Provisioning", "Suspended", "NON_PAYMENT"),
        ("Suspended", "Ready", seen.phases()[2][2]),
    ]
    assert seen.state("a")["activatedAt"] == seen.results[4]["time"]


@case(
    do("account.create", CREATED, account="a", currency="EUR"),
    suspend("hold-placed >Suspended"),
    do("account.reactivate", "hold-released >Provisioning", account="a", all=True, approval=APPROVAL),
)
def test_a_suspended_account_never_activated_goes_back_to_provisioning(seen: Seen) -> None:
    assert seen.phases()[-1] == ("Suspended", "Provisioning", "REACTIVATED")
