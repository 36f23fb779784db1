"""What each command brings about in each phase, all of them: a table to be read, and nothing left out of it."""

from typing import get_args

import pytest

from tests.domain.given import (
    AMBER_PAYS,
    BIRCH_PAYS,
    UNBIND,
    Lane,
    archive,
    attach,
    minute,
    open_account,
    reactivate,
    report_invalid,
    schedule,
    suspend,
    valid,
)
from worker.domain.commands import (
    Action,
    CancelSuspension,
    ChangeCurrency,
    ChangePaymentTerms,
    CreateAccount,
    DeleteAccount,
    DeleteProject,
    DetachPaymentProfile,
    LockProject,
    MoveProjects,
    RegisterProject,
    UnlockProject,
    UpdateAccount,
)
from worker.domain.decision import Accepted
from worker.domain.events import PhaseChanged
from worker.domain.values import HoldReason, PaymentTerms, Phase, Rules
from worker.wire.events import FORMS

UNHURRIED = Rules(suspension_notice=minute(1) - minute(0))

# How `amber` comes to stand where it does, `birch` being Ready. The project `atlas` is not bound.
STANDINGS: dict[str, tuple[Action, ...]] = {
    "nobody": (),
    "Provisioning": (CreateAccount("amber", "EUR"),),
    "Ready": (open_account(),),
    "Suspended": (open_account(), suspend()),
    "Archived": (open_account(), archive()),
    "deleted": (open_account(), DeleteAccount("amber")),
}
COMMANDS: dict[str, Action] = {
    "create": open_account(),
    "update": UpdateAccount("amber", display_name="Amber"),
    "change currency": ChangeCurrency("amber", "USD"),
    "change terms": ChangePaymentTerms("amber", PaymentTerms(net_days=7)),
    "attach a Valid profile": attach(valid("card-2")),
    "report Invalid": report_invalid("card-1"),
    "detach": DetachPaymentProfile("amber"),
    "suspend": suspend(HoldReason.FRAUD_SUSPECTED),
    "schedule": schedule(due_at=minute(60)),
    "cancel": CancelSuspension("amber", HoldReason.NON_PAYMENT),
    "reactivate": reactivate(),
    "archive": archive(),
    "delete": DeleteAccount("amber"),
    "move away": MoveProjects("amber", "birch"),
    "move here": MoveProjects("birch", "amber"),
    "bind": AMBER_PAYS,
}
TABLE = """
                       | Provisioning           | Ready                           | Suspended
create                 | ACCOUNT_ALREADY_EXISTS | ACCOUNT_ALREADY_EXISTS          | ACCOUNT_ALREADY_EXISTS
update                 | updated                | updated                         | updated
change currency        | currency-changed       | CURRENCY_LOCKED                 | CURRENCY_LOCKED
change terms           | terms-changed          | terms-changed                   | terms-changed
attach a Valid profile | attached >Ready        | attached                        | attached
report Invalid         | nothing                | reported hold-placed >Suspended | reported hold-placed
detach                 | nothing                | detached hold-placed >Suspended | detached hold-placed
suspend                | hold-placed >Suspended | hold-placed >Suspended          | hold-placed
schedule               | suspension-scheduled   | suspension-scheduled            | suspension-scheduled
cancel                 | SUSPENSION_NOT_SCHEDULED | SUSPENSION_NOT_SCHEDULED      | SUSPENSION_NOT_SCHEDULED
reactivate             | HOLD_NOT_FOUND         | HOLD_NOT_FOUND                  | hold-released >Ready
archive                | >Archived              | >Archived                       | >Archived
delete                 | account.deleted        | account.deleted                 | account.deleted
move away              | nothing                | nothing                         | nothing
move here              | ACCOUNT_NOT_READY      | nothing                         | ACCOUNT_NOT_READY
bind                   | ACCOUNT_NOT_READY      | registered established          | ACCOUNT_NOT_READY
"""
GONE = {"nobody": "ACCOUNT_NOT_FOUND", "Archived": "ACCOUNT_ARCHIVED", "deleted": "ACCOUNT_DELETED"}
"""What every command gets there, but for these."""
NOT_GONE = {
    ("create", "nobody"): "created >Provisioning >Ready",
    ("create", "Archived"): "ACCOUNT_ALREADY_EXISTS",
    ("create", "deleted"): "ACCOUNT_ALREADY_EXISTS",
    ("delete", "Archived"): "account.deleted",
}

# How `amber` comes to stand where it does while it pays for `atlas`. It is neither Provisioning nor Archived then.
PAYING: dict[str, tuple[Action, ...]] = {
    "Ready": (open_account(), AMBER_PAYS),
    "Suspended": (open_account(), AMBER_PAYS, suspend()),
    "blocked": (open_account(), AMBER_PAYS, suspend(HoldReason.FRAUD_SUSPECTED)),
    "locked": (open_account(), AMBER_PAYS, LockProject("atlas", "Keep it.")),
}
ABOUT_BOUND: dict[str, Action] = {
    "bind to its payer": AMBER_PAYS,
    "bind to another": BIRCH_PAYS,
    "unbind": UNBIND,
    "move": MoveProjects("amber", "birch"),
    "lock": LockProject("atlas", "Keep it."),
    "unlock": UnlockProject("atlas", "Let it go."),
    "register": RegisterProject("atlas"),
    "delete project": DeleteProject("atlas"),
    "detach": DetachPaymentProfile("amber"),
    "archive": archive(),
    "delete": DeleteAccount("amber"),
}
BOUND_TABLE = """
                  | Ready                    | Suspended                | blocked                                  | locked
bind to its payer | nothing                  | ACCOUNT_NOT_READY        | ACCOUNT_NOT_READY REBIND_BLOCKED_BY_HOLD | nothing
bind to another   | superseded established   | superseded established   | REBIND_BLOCKED_BY_HOLD                   | BINDING_LOCKED
unbind            | released payer-missing   | released payer-missing   | REBIND_BLOCKED_BY_HOLD                   | BINDING_LOCKED
move              | superseded established   | superseded established   | REBIND_BLOCKED_BY_HOLD                   | MOVE_ITEMS_INELIGIBLE
lock              | locked                   | locked                   | locked                                   | nothing
unlock            | nothing                  | nothing                  | nothing                                  | unlocked
register          | nothing                  | nothing                  | nothing                                  | nothing
delete project    | released project.deleted | released project.deleted | released project.deleted                 | released project.deleted
detach            | PROFILE_IN_USE           | PROFILE_IN_USE           | PROFILE_IN_USE                           | PROFILE_IN_USE
archive           | ACTIVE_BINDINGS          | ACTIVE_BINDINGS          | ACTIVE_BINDINGS                          | ACTIVE_BINDINGS
delete            | ACTIVE_BINDINGS          | ACTIVE_BINDINGS          | ACTIVE_BINDINGS DELETE_BLOCKED_BY_HOLD   | ACTIVE_BINDINGS
"""  # noqa: E501 - a table


def cells(table: str) -> dict[tuple[str, str], str]:
    """Outcomes by command and standing."""
    head, *rows = [[cell.strip() for cell in line.split("|")] for line in table.strip("\n").splitlines()]
    return {(row[0], standing): cell for row in rows for standing, cell in zip(head[1:], row[1:], strict=True)}


CELLS = cells(TABLE) | {(command, standing): GONE[standing] for command in COMMANDS for standing in GONE} | NOT_GONE
BOUND_CELLS = cells(BOUND_TABLE)


def outcome(lane: Lane, command: Action) -> str:
    """Last words of the events' types in order, a change of phase as `>Phase`, `nothing` for none; or the codes."""
    decision = lane.send(command)
    if not isinstance(decision, Accepted):
        return " ".join(sorted(refusal.reason for refusal in decision.refusals))
    return " ".join(word(event) for event in decision.events) or "nothing"


def word(event: object) -> str:
    if isinstance(event, PhaseChanged):
        return f">{event.entered}"
    subject, last = FORMS[type(event)].type.split(".")[1:3]  # type: ignore[index]
    last = last.removeprefix("payment-").removeprefix("profile-")
    return f"{subject}.{last}" if last == "deleted" else last


@pytest.mark.parametrize(("command", "standing"), CELLS)
def test_a_command_does_in_each_phase_what_the_table_says(command: str, standing: str) -> None:
    lane = Lane(UNHURRIED).given(open_account("birch"), *STANDINGS[standing])

    assert outcome(lane, COMMANDS[command]) == CELLS[command, standing]


@pytest.mark.parametrize(("command", "standing"), BOUND_CELLS)
def test_a_command_about_a_bound_project_does_what_the_table_says(command: str, standing: str) -> None:
    lane = Lane(UNHURRIED).given(open_account("birch"), *PAYING[standing])

    assert outcome(lane, ABOUT_BOUND[command]) == BOUND_CELLS[command, standing]


def test_the_tables_have_every_cell() -> None:
    assert CELLS.keys() == {(command, standing) for command in COMMANDS for standing in STANDINGS}
    assert BOUND_CELLS.keys() == {(command, standing) for command in ABOUT_BOUND for standing in PAYING}
    assert {type(action) for action in (*COMMANDS.values(), *ABOUT_BOUND.values())} == set(get_args(Action))
    assert {phase.value for phase in Phase} == STANDINGS.keys() - {"nobody", "deleted"}
