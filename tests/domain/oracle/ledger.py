"""What the oracle knows, and how it writes that down."""

from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
SYSTEM = "system:billing-worker"


class Ledger:
    """Accounts, projects and every binding there ever was, of all organizations."""

    def __init__(self, rules: Json) -> None:
        self.rules = rules
        self.accounts: dict[tuple[str, str], Json] = {}
        self.projects: dict[tuple[str, str], Json] = {}
        self.bindings: list[Json] = []
        self.events: list[Json] = []
        self.ids = 0
        self.org = ""
        self.actor: str | None = None
        self.at = datetime(1, 1, 1, tzinfo=UTC)

    def binding_at(self, org: str, project: str, t: datetime) -> Json | None:
        """The binding by which somebody paid for a project at an instant."""
        for binding in self.bindings:
            is_it = (binding["org"], binding["project"]) == (org, project)
            if is_it and binding["since"] <= t and (binding["until"] is None or t < binding["until"]):
                return binding
        return None

    def payer(self, org: str, project: str, t: datetime) -> str | None:
        """Who paid for a project at an instant."""
        binding = self.binding_at(org, project, t)
        return str(binding["account"]) if binding else None

    def open_binding(self, project: Json) -> Json | None:
        for binding in self.bindings:
            is_it = (binding["org"], binding["project"]) == (project["org"], project["id"])
            if is_it and binding["until"] is None:
                return binding
        return None

    def paid_by(self, account: Json) -> list[Json]:
        paid = []
        for binding in self.bindings:
            if (binding["org"], binding["account"], binding["until"]) == (account["org"], account["id"], None):
                paid.append(self.projects[account["org"], binding["project"]])  # noqa: PERF401 - naive on purpose
        return paid

    def last_until(self, account: Json) -> datetime | None:
        ends = [
            binding["until"]
            for binding in self.bindings
            if (binding["org"], binding["account"]) == (account["org"], account["id"]) and binding["until"]
        ]
        return max(ends, default=None)

    def new_id(self) -> str:
        self.ids += 1
        return f"~{self.ids}"

    def emit(self, whom: Json, kind: str, **data: object) -> None:
        """Let something happen to an account or a project."""
        whom["seq"] += 1
        self.events.append(
            {
                "type": f"billing.{kind}.v1",
                "subject": f"{whom['kind']}/{whom['org']}/{whom['id']}",
                "sequence": whom["seq"],
                "data": {name: written(value) for name, value in data.items()},
            }
        )

    def enter(self, account: Json, phase: str, reason: str, approval: Json | None = None, **more: Json) -> None:
        left, since, paid = account["phase"], account["since"], self.paid_by(account)
        account["phase"], account["since"] = phase, self.at
        account["phases"].append({"phase": phase, "reason": reason, "since": self.at})
        if phase == "Ready" and not account["activated"]:
            account["activated"] = self.at
        account["owes"] = bool(paid) and (phase == "Suspended" or (phase == "Ready" and left == "Suspended"))
        self.emit(
            account,
            "account.phase-changed",
            account=account["id"],
            **{"from": left, "to": phase, "since": since, "at": self.at, "reason": reason},
            holds=[self.hold(hold) for hold in account["holds"]],
            activeBindings=len(paid),
            activatedAt=account["activated"],
            currency=account["currency"],
            **({"approval": approval} if approval else {}),
            **more,
        )

    def reported(self, account: Json, profile: Json) -> None:
        self.emit(
            account,
            "account.payment-profile-reported",
            account=account["id"],
            externalId=profile["external_id"],
            status=profile["status"],
            cause=profile["cause"],
            paymentProfiles=self.profiles(account),
        )

    def contact(self, account: Json) -> Json | None:
        contact = account["contact"]
        return {name: value for name, value in contact.items() if value} if contact else None

    def terms(self, account: Json) -> Json:
        terms = account["terms"]
        return {
            "netDays": terms["net_days"],
            "invoiceDayOfMonth": terms["invoice_day_of_month"],
            "invoiceFrequency": terms["invoice_frequency"],
        }

    def profiles(self, account: Json) -> Json:
        both = {}
        for place in ("serving", "pending"):
            profile = account[place]
            both[place] = profile and {
                "type": profile["type"],
                "externalId": profile["external_id"],
                "status": profile["status"],
                "cause": profile["cause"],
                "validUntil": profile["valid_until"],
            }
        return both

    def hold(self, hold: Json) -> Json:
        return {
            "hold": hold["id"],
            "reason": hold["reason"],
            "message": hold["message"],
            "blocksRebind": hold["blocks"],
            "placedBy": hold["by"],
            "placedAt": hold["at"],
        }


def written(value: object) -> object:
    """As JSON has it."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, dict):
        return {name: written(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [written(inner) for inner in value]
    return value
