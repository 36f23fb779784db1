"""Accounts, holds and phases beside the events of accounts and their latest states."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Row

from schemas.instants import format_instant
from worker.recovery.verify import subjects
from worker.recovery.verify.account_fold import AccountFold, hold_shown
from worker.recovery.verify.finding import Check, Finding
from worker.recovery.verify.ground import Ground
from worker.recovery.verify.merging import Subject, side_by_side
from worker.recovery.verify.records import Json
from worker.store.account_columns import LOADED, account_of, hold_of
from worker.wire.outgoing import Topic
from worker.wire.states import account_state

ACCOUNT_COLUMNS = ", ".join(f"t.{name}" for name in (*LOADED, "created_at"))


class AccountsAndTheirEvents:
    """One pass over accounts, holds, phases, their events and latest states."""

    checks = (
        Check(
            "sequences_of_accounts_have_no_holes", "The events of an account are numbered 1, 2, 3 up to its sequence."
        ),
        Check(
            "events_make_the_accounts", "An account is what its events make of it, and none contradicts those before."
        ),
        Check("events_make_the_holds", "Holds were placed and released as the events say, and only so."),
        Check("events_make_the_phases", "Phases began as the events say, and only so."),
        Check("the_latest_state_is_the_account", "The journal's last state record of an account is the account."),
    )
    units = ("events", "accounts", "holds", "phases", "states")

    def rows(self, ground: Ground) -> int:
        """How many rows it looks at, without those of the journal."""
        return ground.rows["accounts"] + ground.rows["holds"] + ground.rows["phases"]

    async def prove(self, ground: Ground, findings: Sequence[Finding]) -> None:
        """Account by account, in the order of their keys."""
        for finding, unit in zip(findings, self.units, strict=True):
            finding.unit = unit
            finding.notes += subjects.notes_of_reach(ground)
        async for subject in side_by_side(
            subjects.events(ground, Topic.ACCOUNT_EVENTS),
            subjects.table(ground, "accounts", ACCOUNT_COLUMNS, "account"),
            subjects.table(ground, "holds", "t.*", "account", ", t.sequence"),
            subjects.table(ground, "phases", "t.*", "account", ", t.sequence"),
            subjects.latest_states(ground, Topic.ACCOUNTS),
        ):
            _prove(ground, findings, subject)
            await ground.did(sum(map(len, subject.rows[1:4])))


def account_shown(row: Row[Any], holds: Sequence[Row[Any]]) -> Json:
    """An account as `billing.accounts` carries it, from its row and those of its holds in the order of placing."""
    active = tuple(hold_of(hold) for hold in holds if hold.released_at is None)
    shown: Json = orjson.loads(orjson.dumps(account_state(account_of(row, active))))
    return shown


def _prove(ground: Ground, findings: Sequence[Finding], subject: Subject) -> None:
    for finding, rows in zip(findings, subject.rows, strict=True):
        finding.looked_at += len(rows)
    sequences, accounts, holds, phases, states = findings
    events, rows, hold_rows, phase_rows, latest = subject.rows
    name = f"accounts/{subject.key.decode(errors='backslashreplace')}"
    row = rows[0] if rows else None
    is_whole = subjects.prove_sequences(ground, sequences, name, events, row, row and row.created_at)
    if row is None:
        return
    subjects.prove_state(ground, states, name, latest, lambda: account_shown(row, hold_rows), row.phase_since)
    fold = AccountFold(ground.installation.id)
    if not is_whole or not subjects.folded(accounts, name, fold, events):
        return
    made = fold.state | {"createdAt": fold.created_at}
    subjects.compare(
        accounts,
        name,
        # the holds are looked at by themselves
        {key: value for key, value in made.items() if key != "holds"},
        lambda: _without_holds(row),
    )
    subjects.compare(holds, name, fold.holds, lambda: {hold.sequence: hold_shown(hold) for hold in hold_rows})
    subjects.compare(phases, name, fold.phases, lambda: [_phase(phase) for phase in phase_rows])


def _without_holds(row: Row[Any]) -> Json:
    shown = account_shown(row, ()) | {"createdAt": format_instant(row.created_at)}
    del shown["holds"]
    return shown


def _phase(row: Row[Any]) -> tuple[int, str, str, str]:
    return row.sequence, format_instant(row.at), row.phase, row.reason
