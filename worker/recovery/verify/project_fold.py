"""A project as its events make it: who paid and pays, reckoned apart from the rules that wrote them."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from schemas import events as written
from worker.recovery.verify.account_fold import Contradiction
from worker.recovery.verify.records import Json

_NOTICES: Final = {written.PayerAtRisk.TYPE: True, written.PayerRestored.TYPE: False}
_LOCKS: Final = {written.BindingLocked.TYPE: True, written.BindingUnlocked.TYPE: False}
_ENDS: Final = {"UNBOUND": "released", "PROJECT_DELETED": "deleted"}


class Paid(NamedTuple):
    """One row of the timeline; instants as the contract writes them, `until` None while it is open."""

    binding: str
    account: str
    currency: str
    since: str
    until: str | None
    ended: str


@dataclass(slots=True)
class ProjectFold:
    """What the project's row and its timeline must say."""

    sequence: int = 0
    registered_at: str | None = None
    deleted_at: str | None = None
    locked: bool = False
    at_risk: bool = False
    timeline: list[Paid] = field(default_factory=list)

    @property
    def open(self) -> Paid | None:
        """Who pays now."""
        return self.timeline[-1] if self.timeline and self.timeline[-1].until is None else None

    def apply(self, envelope: Json) -> None:
        """Let one more event happen. Raises Contradiction, KeyError or TypeError for what cannot have happened."""
        kind, data = envelope["type"], envelope["data"]
        if self.deleted_at is not None:
            raise Contradiction("it was deleted before")
        self.sequence = envelope["sequence"]
        match kind:
            case written.ProjectRegistered.TYPE:
                self._register(envelope["time"])
            case written.ProjectDeleted.TYPE:
                if self.open is not None:
                    raise Contradiction("somebody paid for it when it was deleted")
                self.registered_at = self.registered_at or envelope["time"]
                self.deleted_at = envelope["time"]
            case written.BindingEstablished.TYPE:
                self._establish(data)
            case written.BindingSuperseded.TYPE:
                self._close(data, "superseded")
            case written.BindingReleased.TYPE:
                self._close(data, _ENDS[data["reason"]])
            case _ if kind in _LOCKS:
                self._of_payer(data)
                self.locked = _LOCKS[kind]
            case _ if kind in _NOTICES:
                self._of_payer(data)
                self.at_risk = _NOTICES[kind]
            case written.PayerMissing.TYPE:
                if self.open is not None:
                    raise Contradiction("a payer is missing and there")
            case _:
                raise Contradiction(f"{kind} does not happen to projects")

    def _register(self, at: str) -> None:
        if self.registered_at is not None:
            raise Contradiction("it was registered before")
        self.registered_at = at

    def _establish(self, data: Json) -> None:
        last = self.timeline[-1] if self.timeline else None
        if last is not None and last.until is None:
            raise Contradiction("somebody pays already")
        before = last.binding if last is not None and last.ended == "superseded" else None
        if data.get("supersedes") != before or (
            before is not None and last is not None and last.until != data["since"]
        ):
            raise Contradiction("it does not begin where what it supersedes ended")
        if last is not None and last.until is not None and data["since"] < last.until:
            raise Contradiction("it begins before the last one ended")
        paid = Paid(data["binding"], data["account"], data["currency"], data["since"], None, "open")
        self.timeline.append(paid)

    def _close(self, data: Json, ended: str) -> None:
        binding = self.open
        said = (data["binding"], data["account"], data["currency"], data["since"])
        if binding is None or said != binding[:4]:
            raise Contradiction("what ended is not what was open")
        if data["until"] <= data["since"]:
            raise Contradiction("it ended before it began")
        self.timeline[-1] = binding._replace(until=data["until"], ended=ended)
        self.locked = self.at_risk = False

    def _of_payer(self, data: Json) -> None:
        if self.open is None or self.open.account != data["account"]:
            raise Contradiction("it is of an account that does not pay")
