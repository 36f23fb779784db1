"""`account`: an account as it stands, and what it went through."""

from typing import Any

import orjson

from worker.cli.asking import asking, written, written_through
from worker.cli.console import fail, print_facts, print_json, print_table
from worker.cli.reach import finish
from worker.settings import Settings, load
from worker.store import queries
from worker.store.phases import PhaseInterval
from worker.store.queries import AccountStanding, PastHold
from worker.wire import parts
from worker.wire.states import account_state


def show_account(organization: str, name: str, *, as_json: bool) -> None:
    """Answer on stdout; exit code 1 if there is no such account."""
    standing, phases = finish(_ask(load(), organization, name))
    if standing.account is None:
        fail(f"There is no account {name} in organization {organization}.")
    state = orjson.loads(orjson.dumps(account_state(standing.account)))
    state |= {
        "activeBindings": standing.usage.active_bindings,
        "lastBindingUntil": written(standing.usage.last_until),
        "pastHolds": [_past_hold(past) for past in standing.past_holds],
        "phases": [_phase(interval) for interval in phases],
        "completeThrough": written_through(standing.complete_through),
    }
    if as_json:
        print_json(state)
    else:
        _print(state)


async def _ask(settings: Settings, organization: str, name: str) -> tuple[AccountStanding, tuple[PhaseInterval, ...]]:
    async with asking(settings, organization) as question:
        standing = await queries.account(question.connection, organization, name, lane=question.lane)
        found = await queries.phases(question.connection, organization, name, lane=question.lane)
        return standing, found.phases


def _phase(interval: PhaseInterval) -> dict[str, Any]:
    return {
        "phase": interval.phase.value,
        "reason": interval.reason,
        "since": written(interval.since),
        "until": written(interval.until),
    }


def _past_hold(past: PastHold) -> dict[str, Any]:
    described: dict[str, Any] = dict(parts.hold(past.hold))
    described |= {"releasedAt": written(past.released_at), "releasedBy": past.released_by}
    if past.approval is not None:
        described["approval"] = {"by": past.approval.by, "reference": past.approval.reference}
    return described | ({"automatic": True} if past.automatic else {})


def _print(state: dict[str, Any]) -> None:
    contact, terms = state["contact"], state["paymentTerms"]
    facts = [
        ("account", f"{state['organization']}/{state['account']}"),
        ("name", state["displayName"]),
        ("phase", f"{state['phase']} since {state['phaseSince']}"),
        ("activated", state["activatedAt"]),
        ("currency", state["currency"]),
        ("terms", f"{terms['netDays']} days net, {terms['invoiceFrequency']}, day {terms['invoiceDayOfMonth']}"),
        ("contact", " ".join(contact.values()) if contact else None),
        ("means of payment", _profile(state["paymentProfiles"]["serving"])),
        ("pending", _profile(state["paymentProfiles"]["pending"])),
        ("labels", ", ".join(f"{name}={value}" for name, value in state["labels"].items()) or None),
        ("projects paid for", state["activeBindings"]),
        ("event", state["sequence"]),
        ("complete through", state["completeThrough"]),
    ]
    print_facts([*facts, ("deleted", state["deletedAt"])] if "deletedAt" in state else facts)
    print_table(("phase", "reason", "since", "until"), [tuple(phase.values()) for phase in state["phases"]])
    if holds := state["holds"] + state["pastHolds"]:
        print_table(
            ("hold", "reason", "message", "blocks rebind", "placed", "released"),
            [
                (
                    hold["hold"],
                    hold["reason"],
                    hold["message"],
                    "yes" if hold["blocksRebind"] else "no",
                    hold["placedAt"],
                    hold.get("releasedAt"),
                )
                for hold in holds
            ],
        )
    if state["scheduled"]:
        print_table(
            ("suspension due", "reason", "message"),
            [(planned["dueAt"], planned["reason"], planned["message"]) for planned in state["scheduled"]],
        )


def _profile(profile: dict[str, Any] | None) -> str | None:
    return None if profile is None else f"{profile['type']} {profile['externalId']}, {profile['status']}"
