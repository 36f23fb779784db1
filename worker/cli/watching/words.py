"""What a message says, in a few words."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from worker.cli.watching.seen import Seen, decoded

Data = Mapping[str, Any]


def words_of(seen: Seen) -> str:
    """What happened. Never raises: a message that is not as it should be is shown without words."""
    if seen.message is None:
        return _of_an_unreadable(seen)
    say = _WORDS.get(seen.kind.removeprefix("billing.").removesuffix(".v1"))
    try:
        return say(seen.data) if say else ""
    except (KeyError, TypeError, AttributeError, IndexError):
        return ""


def _of_an_unreadable(seen: Seen) -> str:
    headers = {name: decoded(value) for name, value in seen.record.headers}
    if "billing-reason" in headers:
        return f"{headers['billing-reason']}: {headers.get('billing-detail')}"
    size = len(seen.record.value or b"")
    return f"{size} bytes" if size else ""


def _phase_changed(data: Data) -> str:
    left = f"{data['from']} -> " if data["from"] else ""
    return f"{left}{data['to']} ({data['reason']})"


def _established(data: Data) -> str:
    instead = f" instead of {data['previousAccount']}" if data.get("previousAccount") else ""
    return f"{data['account']} pays for {data['project']}{instead}"


def _hold_released(data: Data) -> str:
    return f"hold {data['hold']} by itself" if data.get("automatic") else f"hold {data['hold']} by {data['releasedBy']}"


def _profiles(data: Data) -> str:
    serving = data["paymentProfiles"]["serving"]
    pending = data["paymentProfiles"]["pending"]
    said = f"serving {serving['type']} {serving['status']}" if serving else "none serves"
    return f"{said}, one is pending" if pending else said


def _accepted(data: Data) -> str:
    again = "again: " if data["duplicate"] else ""
    return f"{again}{_short(data['type'])}, {_events(data['eventCount'])}"


def _rejected(data: Data) -> str:
    again = "again: " if data["duplicate"] else ""
    return f"{again}{_short(data['type'])}, {_codes(data)}"


def _evaluated(data: Data) -> str:
    would = f"would be accepted, {_events(data['eventCount'])}" if data["wouldAccept"] else f"would not: {_codes(data)}"
    return f"dry run {would}"


def _payer_state(data: Data) -> str:
    payer = data["payer"]["account"] if data["payer"] else "nobody"
    return f"{payer} pays for {data['project']}{', locked' if data['locked'] else ''}"


def _events(count: int) -> str:
    return f"{count} event" if count == 1 else f"{count} events"


def _codes(data: Data) -> str:
    return ", ".join(str(reason["code"]) for reason in data["reasons"])


def _short(kind: str) -> str:
    return kind.removeprefix("billing.").removesuffix(".v1")


def _ended(data: Data) -> str:
    return f"{data['account']} paid for {data['project']} from {data['since']} until {data['until']}"


_WORDS: Final[Mapping[str, Callable[[Data], str]]] = {
    "account.created": lambda data: f"{data['account']} in {data['currency']}",
    "account.updated": lambda data: f"{data['displayName'] or 'no name'}, {len(data['labels'])} labels",
    "account.currency-changed": lambda data: f"now {data['currency']}",
    "account.payment-terms-changed": lambda data: f"now {data['paymentTerms']['netDays']} days net",
    "account.payment-profile-attached": _profiles,
    "account.payment-profile-reported": lambda data: f"{data['status']}: {_profiles(data)}",
    "account.payment-profile-detached": _profiles,
    "account.hold-placed": lambda data: f"{data['hold']['reason']}: {data['hold']['message']}",
    "account.hold-released": _hold_released,
    "account.suspension-scheduled": lambda data: f"{data['reason']} at {data['dueAt']}: {data['message']}",
    "account.suspension-cancelled": lambda data: str(data["reason"]),
    "account.phase-changed": _phase_changed,
    "account.deleted": lambda data: f"was {data['phase']}",
    "project.registered": lambda data: f"{data['project']} is known",
    "project.deleted": lambda data: f"{data['project']} is gone",
    "binding.established": _established,
    "binding.superseded": lambda data: f"{_ended(data)}; now {data['supersededBy']['account']} does",
    "binding.released": lambda data: f"{_ended(data)} ({data['reason']})",
    "binding.locked": lambda data: f"{data['account']} stays: {data['note']}",
    "binding.unlocked": lambda data: f"{data['account']} may be replaced: {data['note']}",
    "project.payer-at-risk": lambda data: f"{data['account']} is {data['phase']}: {', '.join(data['reasons'])}",
    "project.payer-restored": lambda data: f"{data['account']} is {data['phase']}",
    "project.payer-missing": lambda data: f"nobody pays since {data['since']} ({data['reason']})",
    "command.accepted": _accepted,
    "command.rejected": _rejected,
    "command.evaluated": _evaluated,
    "account.state": lambda data: f"{data['phase']}, {len(data['holds'])} holds, event {data['sequence']}",
    "payer.state": _payer_state,
    "lane.horizon": lambda data: f"complete through {data['through']}, next offset {data['offset']}",
}
