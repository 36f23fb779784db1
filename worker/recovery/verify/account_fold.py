"""An account as its events make it, in the words of the contract: reckoned apart from the rules that wrote them."""

from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from schemas import events as written
from schemas.instants import format_instant
from worker.domain.values import derive_id
from worker.recovery.verify.records import Json

_PLAIN: Final[dict[str, tuple[str, ...]]] = {
    written.AccountUpdated.TYPE: ("displayName", "contact", "labels"),
    written.CurrencyChanged.TYPE: ("currency",),
    written.PaymentTermsChanged.TYPE: ("paymentTerms",),
    written.PaymentProfileAttached.TYPE: ("paymentProfiles",),
    written.PaymentProfileReported.TYPE: ("paymentProfiles",),
    written.PaymentProfileDetached.TYPE: ("paymentProfiles",),
}
"""Events that carry the new value of some members of the state."""


class Contradiction(ValueError):  # noqa: N818  it is between the events
    """An event does not fit what the events before it made."""


@dataclass(slots=True)
class AccountFold:
    """The state for `billing.accounts`, every hold that ever was by the sequence that placed it, and all phases."""

    installation: UUID
    state: Json = field(default_factory=dict)
    created_at: str = ""
    holds: dict[int, Json] = field(default_factory=dict)
    phases: list[tuple[int, str, str, str]] = field(default_factory=list)

    def apply(self, envelope: Json) -> None:
        """Let one more event happen. Raises Contradiction, KeyError or TypeError for what cannot have happened."""
        kind, data = envelope["type"], envelope["data"]
        if kind == written.AccountCreated.TYPE:
            self._create(envelope, data)
            return
        if not self.state:
            raise Contradiction("it was not created yet")
        if "deletedAt" in self.state:
            raise Contradiction("it was deleted before")
        state = self.state
        state["sequence"] = envelope["sequence"]
        match kind:
            case _ if kind in _PLAIN:
                state.update({name: data[name] for name in _PLAIN[kind]})
            case written.HoldPlaced.TYPE:
                self._place(envelope, data["hold"])
            case written.HoldReleased.TYPE:
                self._release(envelope, data)
            case written.SuspensionScheduled.TYPE:
                entry = {name: value for name, value in data.items() if name != "account"}
                others = [other for other in state["scheduled"] if other["reason"] != data["reason"]]
                state["scheduled"] = sorted([*others, entry], key=lambda one: (one["dueAt"], one["reason"]))
            case written.SuspensionCancelled.TYPE:
                state["scheduled"] = [other for other in state["scheduled"] if other["reason"] != data["reason"]]
            case written.PhaseChanged.TYPE:
                self._change_phase(envelope, data)
            case written.AccountDeleted.TYPE:
                state |= {"deletedAt": envelope["time"], "scheduled": []}
            case _:
                raise Contradiction(f"{kind} does not happen to accounts")

    def _create(self, envelope: Json, data: Json) -> None:
        if self.state:
            raise Contradiction("it was created before")
        organization, account = envelope["organization"], data["account"]
        self.created_at = envelope["time"]
        self.state = {
            **{name: data[name] for name in ("currency", "displayName", "contact", "paymentTerms", "paymentProfiles")},
            "labels": data["labels"],
            "organization": organization,
            "account": account,
            "sequence": envelope["sequence"],
            "phase": None,
            "phaseSince": None,
            "activatedAt": None,
            "holds": [],
            "scheduled": [],
        }

    def _place(self, envelope: Json, hold: Json) -> None:
        state = self.state
        if any(other["hold"] == hold["hold"] for other in state["holds"]):
            raise Contradiction(f"hold {hold['hold']} is active already")
        state["holds"] = [*state["holds"], hold]
        state["scheduled"] = [
            entry
            for entry in state["scheduled"]
            if entry["reason"] != hold["reason"] or entry["dueAt"] > hold["placedAt"]
        ]
        named = f"hold/{envelope['organization']}/{envelope['causationid']}/{envelope['commandposition']}"
        self.holds[envelope["sequence"]] = {
            **hold,
            "derived": hold["hold"] == derive_id(self.installation, named),
            "releasedAt": None,
            "releasedBy": None,
            "approval": None,
            "automatic": False,
        }

    def _release(self, envelope: Json, data: Json) -> None:
        state = self.state
        active = [hold for hold in self.holds.values() if hold["hold"] == data["hold"] and hold["releasedAt"] is None]
        if not active:
            raise Contradiction(f"hold {data['hold']} is not active")
        active[-1].update(
            releasedAt=envelope["time"],
            releasedBy=data["releasedBy"],
            approval=data.get("approval"),
            automatic=data.get("automatic", False),
        )
        state["holds"] = [hold for hold in state["holds"] if hold["hold"] != data["hold"]]

    def _change_phase(self, envelope: Json, data: Json) -> None:
        state = self.state
        left = (data["from"], data["since"], data["holds"], data["currency"])
        if left != (state["phase"], state["phaseSince"], state["holds"], state["currency"]):
            raise Contradiction("it left another phase, or with other holds, than the account had")
        if (
            data["to"] != "Archived"
            and (data["to"] == "Suspended") != bool(state["holds"])
            and data["from"] is not None
        ):
            raise Contradiction("holds alone suspend")
        state |= {"phase": data["to"], "phaseSince": data["at"], "activatedAt": data["activatedAt"]}
        self.phases.append((envelope["sequence"], data["at"], data["to"], data["reason"]))


def hold_shown(row: Any) -> Json:
    """A row of holds in the same words."""
    approved = row.approval_by is not None
    return {
        "hold": row.hold,
        "reason": row.reason,
        "message": row.message,
        "blocksRebind": row.blocks_rebind,
        "placedBy": row.placed_by,
        "placedAt": format_instant(row.placed_at),
        "derived": row.derived,
        "releasedAt": format_instant(row.released_at) if row.released_at is not None else None,
        "releasedBy": row.released_by,
        "approval": {"by": row.approval_by, "reference": row.approval_reference} if approved else None,
        "automatic": row.automatic,
    }
