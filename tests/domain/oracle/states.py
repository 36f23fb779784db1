"""How everything stands: what the compacted topics carry."""

from tests.domain.oracle.ledger import Json, Ledger, written

CLOSED_MAX = 200


class States(Ledger):
    def account_state(self, account: Json) -> Json:
        """The whole account."""
        state = {
            "organization": account["org"],
            "account": account["id"],
            "sequence": account["seq"],
            "phase": account["phase"],
            "phaseSince": account["since"],
            "activatedAt": account["activated"],
            "currency": account["currency"],
            "paymentTerms": self.terms(account),
            "contact": self.contact(account),
            "displayName": account["name"],
            "paymentProfiles": self.profiles(account),
            "holds": [self.hold(hold) for hold in account["holds"]],
            "scheduled": [
                {
                    "reason": reason,
                    "dueAt": entry["due_at"],
                    "message": entry["message"],
                    "scheduledBy": entry["by"],
                    "scheduledAt": entry["at"],
                }
                for reason, entry in sorted(account["scheduled"].items(), key=lambda one: (one[1]["due_at"], one[0]))
            ],
            "labels": account["labels"],
        }
        if account["deleted"]:
            state |= {"deletedAt": account["deleted"], "scheduled": []}
        return {name: written(value) for name, value in state.items()}

    def payer_state(self, project: Json) -> Json:
        """Who pays, and who paid: the last 200 closed bindings and the open one; whole since when nothing was cut."""
        closed = [binding for binding in self.timeline(project) if binding["until"]]
        dropped, kept = closed[:-CLOSED_MAX], closed[-CLOSED_MAX:]
        payer = self.open_binding(project)
        state = {
            "organization": project["org"],
            "project": project["id"],
            "sequence": project["seq"],
            "payer": payer
            and {
                "binding": payer["id"],
                "account": payer["account"],
                "since": payer["since"],
                "currency": payer["currency"],
            },
            "locked": project["locked"],
            "timeline": [self.interval(binding) for binding in [*kept, *([payer] if payer else [])]],
            "timelineSince": dropped[-1]["until"] if dropped else project["since"],
        }
        if project["deleted"]:
            state["deletedAt"] = project["deleted"]
        return {name: written(value) for name, value in state.items()}

    def timeline(self, project: Json) -> list[Json]:
        """Every binding of a project, oldest first."""
        return [b for b in self.bindings if (b["org"], b["project"]) == (project["org"], project["id"])]

    def interval(self, binding: Json) -> Json:
        return {
            "binding": binding["id"],
            "account": binding["account"],
            "currency": binding["currency"],
            "since": binding["since"],
            "until": binding["until"],
            "reason": binding["reason"],
        }
