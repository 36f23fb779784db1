"""E4, across both event topics: in the order of instants, who takes a binding is Ready, who goes pays for nobody."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.system.checker.messages import Message, Place, kind_of


class _Fact(NamedTuple):
    at: str
    place: Place
    account: str
    what: str
    told: int | str | None
    """What the event says of the account: its phase's count of bindings, its sequence, the end of its last binding."""


@dataclass
class Readiness:
    """Notes what matters of each event, and looks at all of it in the order in which it happened.

    Within a partition that is the order of the log. But a cut-over moves organizations to others, also to lower ones.
    """

    facts: list[_Fact] = field(default_factory=list)

    def note(self, message: Message) -> tuple[str, ...]:
        """An event of either topic; nothing is said of it yet."""
        assert message.body is not None
        body, data, kind = message.body, message.body["data"], kind_of(message.body)
        if kind.startswith("account."):
            account = body["subject"].removeprefix("accounts/")
            self.facts.append(_Fact(body["time"], message.place, account, "sequence", body["sequence"]))
            if kind == "account.phase-changed":
                self.facts.append(_Fact(body["time"], message.place, account, data["to"], data["activeBindings"]))
            elif kind == "account.deleted":
                self.facts.append(_Fact(body["time"], message.place, account, "deleted", data["lastBindingUntil"]))
        elif kind in {"binding.established", "binding.superseded", "binding.released"}:
            account = f"{body['organization']}/{data['account']}"
            told = data["accountSequence"] if kind == "binding.established" else data["until"]
            self.facts.append(_Fact(body["time"], message.place, account, kind, told))
        return ()

    def holds(self) -> Iterator[str]:
        """One pass; instants of one organization rise, whichever lanes it lived in."""
        phases: dict[str, str] = {}
        sequences: dict[str, int | str | None] = {}
        paid: Counter[str] = Counter()
        ended: dict[str, int | str | None] = {}
        for _, place, account, what, told in sorted(self.facts, key=lambda fact: (fact.at, fact.place)):
            if what == "sequence":
                sequences[account] = told
            elif what == "binding.established":
                paid[account] += 1
                if phases.get(account) != "Ready":
                    yield f"{account} takes a binding at {place} while it is {phases.get(account, 'unknown')}"
                if sequences.get(account) != told:
                    yield f"{account} is at {sequences.get(account)} when it takes a binding at {place}, not at {told}"
            elif what.startswith("binding."):
                paid[account] -= 1
                ended[account] = told
            elif what == "deleted":
                phases[account] = "deleted"
                if paid[account] or told != ended.get(account):
                    yield f"{account} is deleted at {place} with {paid[account]} bindings, the last until {told}"
            else:
                if paid[account] != told or (what == "Archived" and told):
                    yield f"{account} is {what} at {place} with {told} bindings; it has {paid[account]}"
                if phases.get(account) in {"Archived", "deleted"}:
                    yield f"{account} is {what} at {place} after it was {phases[account]}"
                phases[account] = what
