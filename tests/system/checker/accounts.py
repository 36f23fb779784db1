"""E5: an account is the fold of its events. Written from the contract alone, in the shape of `billing.accounts`."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.system.checker.messages import Json, Message, kind_of

REPLACED = {
    "account.updated": ("displayName", "contact", "labels"),
    "account.currency-changed": ("currency",),
    "account.payment-terms-changed": ("paymentTerms",),
    "account.payment-profile-attached": ("paymentProfiles",),
    "account.payment-profile-reported": ("paymentProfiles",),
    "account.payment-profile-detached": ("paymentProfiles",),
}
"""Facts that replace values by their whole new ones."""


@dataclass
class Accounts:
    """Every account by `organization/account`, and what is history of it."""

    states: dict[str, Json] = field(default_factory=dict)
    holds: dict[str, list[Json]] = field(default_factory=dict)
    """Active and released ones, in the order of placing."""
    phases: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    """Sequence, phase, instant and reason of each that began."""

    def see(self, message: Message) -> Iterator[str]:
        """The next event of its account."""
        assert message.body is not None
        body, data, kind = message.body, message.body["data"], kind_of(message.body)
        key = body["subject"].removeprefix("accounts/")
        if kind == "account.created":
            self._create(key, body)
            return
        state = self.states.get(key)
        if state is None:
            yield f"{message} is of an account that was never created"
            return
        state["sequence"] = body["sequence"]
        if kind in REPLACED:
            state.update({name: data[name] for name in REPLACED[kind]})
        elif kind == "account.hold-placed":
            self._place(key, state, data["hold"], body)
        elif kind == "account.hold-released":
            yield from self._release(message, key, state, data, body["time"])
        elif kind == "account.suspension-scheduled":
            kept = [entry for entry in state["scheduled"] if entry["reason"] != data["reason"]]
            entry = {name: value for name, value in data.items() if name != "account"}
            state["scheduled"] = sorted([*kept, entry], key=lambda one: (one["dueAt"], one["reason"]))
        elif kind == "account.suspension-cancelled":
            state["scheduled"] = [entry for entry in state["scheduled"] if entry["reason"] != data["reason"]]
        elif kind == "account.phase-changed":
            yield from self._enter(message, key, state, data)
        elif kind == "account.deleted":
            state.update(deletedAt=body["time"], scheduled=[])
        else:
            yield f"{message} is of the type {body['type']}, which the contract does not know"

    def _create(self, key: str, body: Json) -> None:
        data = body["data"]
        values = ("account", "currency", "displayName", "contact", "paymentTerms", "paymentProfiles", "labels")
        self.states[key] = {name: data[name] for name in values} | {
            "organization": body["organization"],
            "sequence": body["sequence"],
            "phase": "Provisioning",
            "phaseSince": body["time"],
            "activatedAt": None,
            "holds": [],
            "scheduled": [],
        }
        self.holds[key], self.phases[key] = [], []

    def _place(self, key: str, state: Json, hold: Json, body: Json) -> None:
        """A hold also ends the schedule of its reason, if that is due."""
        state["holds"] = [*state["holds"], hold]
        state["scheduled"] = [
            entry
            for entry in state["scheduled"]
            if entry["reason"] != hold["reason"] or entry["dueAt"] > hold["placedAt"]
        ]
        self.holds[key].append(hold | {"sequence": body["sequence"], "releasedAt": None})

    def _release(self, message: Message, key: str, state: Json, data: Json, at: str) -> Iterator[str]:
        active = [hold for hold in self.holds[key] if hold["releasedAt"] is None and hold["hold"] == data["hold"]]
        if len(active) != 1:
            yield f"{message} releases {data['hold']!r}, of which {len(active)} are active"
        for hold in active:
            hold["releasedAt"] = at
            hold["releasedBy"] = data["releasedBy"]
            hold["approval"] = data.get("approval")
            hold["automatic"] = data.get("automatic", False)
        state["holds"] = [hold for hold in state["holds"] if hold["hold"] != data["hold"]]

    def _enter(self, message: Message, key: str, state: Json, data: Json) -> Iterator[str]:
        """The phase that is left and the holds are as the events before say."""
        left = (None, None) if data["reason"] == "CREATED" else (state["phase"], state["phaseSince"])
        if (data["from"], data["since"]) != left:
            yield f"{message} leaves {data['from']} since {data['since']}, but the account is {left}"
        if (data["holds"], data["currency"]) != (state["holds"], state["currency"]):
            yield f"{message} tells of other holds or another currency than the events before it"
        state.update(phase=data["to"], phaseSince=data["at"], activatedAt=data["activatedAt"])
        self.phases[key].append((state["sequence"], data["to"], data["at"], data["reason"]))
