"""Holds: placed, placed anew, released with approval; what a blocking one refuses; notices to projects."""

from tests.contract.cases import (
    APPROVAL,
    BOUND,
    MOVED,
    NOBODY,
    Seen,
    Then,
    Told,
    bind,
    case,
    do,
    reactivate,
    ready,
    suspend,
)
from tests.contract.laws import problems

SETTLE_SECONDS = 2
DOWN = "hold-placed >Suspended"
UP = "hold-released >Ready"


def test_everything_that_was_written_keeps_the_form(told: Told) -> None:
    assert problems(told) == []


@case(
    ready(),
    suspend(DOWN, message="Late."),
    suspend("", message="Later."),
    suspend("hold-placed", reason="FRAUD_SUSPECTED"),
    suspend("hold-placed", hold="h-1"),
    suspend("", hold="h-1"),
    suspend("HOLD_ALREADY_EXISTS", hold="h-1", message="Other."),
    suspend("HOLD_ALREADY_EXISTS", hold="h-1", reason="ADMINISTRATIVE"),
    suspend("HOLD_ALREADY_EXISTS", hold="h-1", blocksRebind=True),
    suspend("", hold="h-1", blocksRebind=False),
    reactivate("hold-released", hold="h-1"),
    suspend("hold-placed", hold="h-1", message="Anew."),
)
def test_holds_with_and_without_id(seen: Seen) -> None:
    placed = [event["hold"] for event in seen.of("hold-placed")]
    assert [(hold["reason"], hold["message"]) for hold in placed] == [
        ("NON_PAYMENT", "Late."),
        ("FRAUD_SUSPECTED", "So."),
        ("NON_PAYMENT", "So."),
        ("NON_PAYMENT", "Anew."),
    ]
    assert len({hold["hold"] for hold in placed[:3]}) == 3
    assert placed[0]["placedBy"] == "ops@example.com"
    assert placed[0]["placedAt"] == seen.results[1]["time"]
    assert seen.one("hold-released") == {"hold": "h-1", "releasedBy": "ops@example.com", "approval": APPROVAL}
    assert seen.phases()[2:] == [("Ready", "Suspended", "NON_PAYMENT")]
    assert sorted(hold["hold"] for hold in seen.state("a")["holds"]) == sorted(
        {placed[0]["hold"], placed[1]["hold"], "h-1"}
    )


@case(ready(), suspend(DOWN, hold="h-1"), suspend("hold-placed"), suspend(""))
def test_a_hold_without_id_does_not_hide_behind_one_with_id(seen: Seen) -> None:
    assert len(seen.state("a")["holds"]) == 2


@case(
    ready(),
    *(
        suspend("hold-placed|hold-placed >Suspended", reason=reason)
        for reason in (
            "NON_PAYMENT",
            "SPENDING_LIMIT_REACHED",
            "FRAUD_SUSPECTED",
            "POLICY_VIOLATION",
            "COMPLIANCE_HOLD",
            "ADMINISTRATIVE",
            "CUSTOMER_REQUESTED",
        )
    ),
    suspend("hold-placed", hold="not", reason="FRAUD_SUSPECTED", blocksRebind=False),
    suspend("hold-placed", hold="yes", blocksRebind=True),
    suspend("INVALID_DATA", reason="PAYMENT_PROFILE_INVALID"),
    suspend("INVALID_DATA", reason="PAYMENT_PROFILE_EXPIRED"),
    suspend("INVALID_DATA", reason="PAYMENT_PROFILE_MISSING"),
    suspend("INVALID_DATA", reason="non_payment"),
)
def test_some_reasons_block_rebinding_by_themselves_and_some_are_the_workers_alone(seen: Seen) -> None:
    blocks = [event["hold"]["blocksRebind"] for event in seen.of("hold-placed")]
    assert blocks == [False, False, True, True, True, False, False, False, True]


@case(
    ready(),
    suspend(DOWN, hold="h-1"),
    suspend("hold-placed", hold="h-2"),
    suspend("hold-placed", hold="h-3", reason="ADMINISTRATIVE"),
    do("account.reactivate", "APPROVAL_REQUIRED", account="a", all=True),
    reactivate("APPROVAL_REQUIRED", all=True).but(actor=None),
    reactivate("APPROVER_IS_ACTOR", all=True).but(actor="lead@example.com"),
    reactivate("INVALID_DATA"),
    reactivate("INVALID_DATA", all=True, reason="NON_PAYMENT"),
    reactivate("INVALID_DATA", hold="h-1", reason="NON_PAYMENT"),
    reactivate("INVALID_DATA", all=False),
    reactivate("HOLD_NOT_FOUND", hold="none"),
    reactivate("HOLD_NOT_FOUND", reason="FRAUD_SUSPECTED"),
    reactivate("hold-released hold-released", reason="NON_PAYMENT"),
    reactivate("HOLD_NOT_FOUND", hold="h-1"),
    reactivate(UP, all=True),
    reactivate("HOLD_NOT_FOUND", all=True),
)
def test_holds_are_released_with_somebody_elses_approval(seen: Seen) -> None:
    assert seen.phases()[-1] == ("Suspended", "Ready", "REACTIVATED")
    changed = seen.of("phase-changed")[-1]
    assert changed["holds"] == []
    assert changed["since"] == seen.results[1]["time"]
    assert all("automatic" not in each for each in seen.of("hold-released"))


@case(
    ready(),
    suspend(DOWN),
    do("account.delete", "deleted", account="a"),
    ready("b"),
    suspend(DOWN, "b", "FRAUD_SUSPECTED"),
    do("account.delete", "DELETE_BLOCKED_BY_HOLD", account="b"),
    do("account.reactivate", UP, account="b", all=True, approval=APPROVAL),
    bind(account="b"),
    suspend(DOWN, "b", "FRAUD_SUSPECTED"),
    do("account.delete", "ACTIVE_BINDINGS DELETE_BLOCKED_BY_HOLD", account="b"),
)
def test_a_blocking_hold_keeps_the_account(seen: Seen) -> None:
    assert seen.one("account.deleted")["phase"] == "Suspended"


@case(
    ready(),
    ready("b"),
    bind(),
    suspend(DOWN, reason="FRAUD_SUSPECTED"),
    bind(account="b", expect="REBIND_BLOCKED_BY_HOLD"),
    do("project.unbind", "REBIND_BLOCKED_BY_HOLD", project="p"),
    do("account.move-projects", "REBIND_BLOCKED_BY_HOLD", from_="a", to="b"),
    do("project.lock", "locked", project="p", note="n"),
    bind(account="b", expect="BINDING_LOCKED REBIND_BLOCKED_BY_HOLD"),
    do("project.unbind", "BINDING_LOCKED REBIND_BLOCKED_BY_HOLD", project="p"),
    do("project.delete", "released project-deleted|project-deleted released", project="p"),
)
def test_a_blocking_hold_on_the_present_payer_lets_only_deletion_pass(seen: Seen) -> None:
    assert seen.one("released")["reason"] == "PROJECT_DELETED"
    assert seen.of("payer-missing") == []
    assert seen.state("p")["payer"] is None
    assert seen.state("p")["locked"] is False
    assert seen.state("p")["deletedAt"] == seen.results[10]["time"]


@case(
    ready(),
    ready("b"),
    bind(),
    bind("q"),
    bind("r"),
    suspend(DOWN),
    bind("s", expect="ACCOUNT_NOT_READY"),
    bind(expect="ACCOUNT_NOT_READY"),
    bind(account="b", expect=MOVED),
    do("project.unbind", NOBODY, project="q"),
    do("account.move-projects", MOVED, from_="a", to="b"),
    do("account.move-projects", "ACCOUNT_NOT_READY", from_="b", to="a"),
)
def test_projects_may_leave_a_suspended_account_for_a_ready_one(seen: Seen) -> None:
    assert seen.of("phase-changed", "a")[-1]["activeBindings"] == 3
    details = seen.details(6)
    assert details["phase"] == "Suspended"
    assert details["holds"] == seen.of("phase-changed", "a")[-1]["holds"]


@case(
    ready(),
    ready("b"),
    bind(),
    bind("q"),
    bind("other", "b"),
    Then(),
    suspend(DOWN),
    suspend("hold-placed", reason="ADMINISTRATIVE"),
    Then(1.5),
    bind("q", "b", MOVED),
    reactivate("hold-released hold-released >Ready|hold-released hold-released >Ready", all=True),
)
def test_projects_are_told_that_their_payer_is_at_risk_and_that_it_is_restored(seen: Seen) -> None:
    for project in ("p", "q"):
        risk = seen.one("payer-at-risk", project)
        assert (risk["account"], risk["phase"]) == ("a", "Suspended")
        assert "NON_PAYMENT" in risk["reasons"]
        assert risk["since"] == seen.results[5]["time"]
    assert seen.of("payer-at-risk", "other") == []
    restored = seen.one("payer-restored", "p")
    assert (restored["account"], restored["phase"], restored["reasons"]) == ("a", "Ready", [])
    assert restored["since"] == seen.results[8]["time"]
    assert restored["accountSequence"] == seen.state("a")["sequence"]
    assert seen.of("payer-restored", "q") == []
    told_of = [event for event in seen.events if event["type"].endswith("at-risk.v1")]
    assert all(event["subject"].startswith("projects/") for event in told_of)


@case(
    ready(),
    *(suspend("*", hold=f"h-{number}", reason="ADMINISTRATIVE") for number in range(32)),
    suspend("*", hold="one-too-many"),
)
def test_an_account_has_at_most_32_holds(seen: Seen) -> None:
    assert [result["type"] for result in seen.results[:33]] == ["billing.command.accepted.v1"] * 33
    assert seen.results[33]["type"] == "billing.command.rejected.v1"
    assert len(seen.state("a")["holds"]) == 32


@case(
    ready(),
    bind(expect=BOUND),
    suspend(DOWN, hold="A.b_c-9"),
    suspend("INVALID_DATA", hold="a b"),
    suspend("INVALID_DATA", hold="x" * 65),
)
def test_a_hold_has_an_id_of_its_own_alphabet(seen: Seen) -> None:
    assert seen.paths(3) == ["/hold"]
