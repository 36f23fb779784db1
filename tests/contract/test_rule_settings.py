"""What the rule settings change: no profile needed, a strict registry, small moves, some approvals unneeded."""

from tests.contract.cases import APPROVAL, MOVED, Seen, Step, Told, bind, case, do, suspend
from tests.contract.laws import problems

SETTINGS = {
    "RULES__PAYMENT_PROFILE_REQUIRED": "false",
    "RULES__PROJECT_REGISTRY": "strict",
    "RULES__MOVE_PROJECTS_MAX": "2",
    "RULES__APPROVAL_NOT_NEEDED_FOR": '["CUSTOMER_REQUESTED", "ADMINISTRATIVE"]',
}
DOWN, UP = "hold-placed >Suspended", "hold-released >Ready"


def create(account: str = "a") -> Step:
    return do("account.create", "created >Provisioning >Ready", account=account, currency="EUR")


def register(project: str) -> Step:
    return do("project.register", "registered payer-missing", project=project)


def test_everything_that_was_written_keeps_the_form(told: Told) -> None:
    assert problems(told) == []


@case(
    create(),
    do("account.change-currency", "CURRENCY_LOCKED", account="a", currency="USD"),
    do(
        "account.attach-payment-profile",
        "payment-profile-attached",
        account="a",
        paymentProfile={"type": "c", "externalId": "x", "status": "Valid"},
    ),
    do("account.report-payment-profile", "payment-profile-reported", account="a", externalId="x", status="Invalid"),
    do("account.detach-payment-profile", "payment-profile-detached", account="a"),
)
def test_without_a_required_profile_an_account_is_ready_and_gets_no_profile_hold(seen: Seen) -> None:
    assert seen.state("a")["phase"] == "Ready"
    assert len(seen.phases()) == 2


@case(
    create(),
    bind(expect="PROJECT_NOT_FOUND"),
    bind(account="nobody", expect="ACCOUNT_NOT_FOUND PROJECT_NOT_FOUND"),
    do("project.unbind", "PROJECT_NOT_FOUND", project="p"),
    do("project.lock", "PROJECT_NOT_FOUND", project="p", note="n"),
    do("project.unlock", "PROJECT_NOT_FOUND", project="p", note="n"),
    register("p"),
    do("project.unbind", "PROJECT_NOT_BOUND", project="p"),
    bind(expect="established"),
    do("project.delete", "released project-deleted|project-deleted released", project="p"),
    bind(expect="PROJECT_DELETED"),
    do("project.delete", "PROJECT_NOT_FOUND|project-deleted|registered project-deleted", project="q"),
)
def test_a_strict_registry_knows_only_registered_projects(seen: Seen) -> None:
    assert seen.one("payer-missing")["since"] == seen.results[6]["time"]


@case(
    create(),
    create("b"),
    *(register(project) for project in ("p", "q", "r")),
    *(bind(project, expect="established") for project in ("p", "q", "r")),
    do("account.move-projects", "MOVE_TOO_LARGE", from_="a", to="b"),
    do("account.move-projects", "MOVE_TOO_LARGE", from_="a", to="b", projects=["p", "q", "r"]),
    do("account.move-projects", f"{MOVED} {MOVED}", from_="a", to="b", projects=["p", "r"]),
    do("account.move-projects", MOVED, from_="a", to="b"),
)
def test_a_move_above_the_limit_is_too_large(seen: Seen) -> None:
    assert seen.state("q")["payer"]["since"] == seen.results[-1]["time"]


@case(
    create(),
    suspend(DOWN, reason="CUSTOMER_REQUESTED"),
    do("account.reactivate", UP, account="a", reason="CUSTOMER_REQUESTED"),
    suspend(DOWN, reason="CUSTOMER_REQUESTED", hold="h"),
    do("account.reactivate", UP, account="a", hold="h").but(actor=None),
    suspend(DOWN, reason="CUSTOMER_REQUESTED"),
    suspend("hold-placed"),
    do("account.reactivate", "APPROVAL_REQUIRED", account="a", all=True),
    do("account.reactivate", "APPROVAL_REQUIRED", account="a", reason="NON_PAYMENT"),
    do("account.reactivate", "hold-released", account="a", reason="NON_PAYMENT", approval=APPROVAL),
    suspend("hold-placed", reason="ADMINISTRATIVE"),
    do("account.reactivate", "hold-released hold-released >Ready", account="a", all=True),
)
def test_some_reasons_are_released_without_approval(seen: Seen) -> None:
    assert ["approval" in each for each in seen.of("hold-released")] == [False, False, True, False, False]
