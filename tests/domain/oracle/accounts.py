"""The commands, and those about an account's own values."""

from datetime import datetime
from typing import Any

from tests.domain.oracle.due import Due
from tests.domain.oracle.holds import PROFILE_HOLDS
from tests.domain.oracle.ledger import SYSTEM, Json


class Oracle(Due):
    """Everything that is known of all organizations, and the rules in force."""

    def send(self, org: str, kind: str, data: Json, actor: str | None, expected: int | None, at: datetime) -> Json:
        """Do what is due, then the command: `due` events, and `events` or `refused`."""
        return {"due": self.tick(at), **self.decide(org, kind, data, actor, expected)}

    def decide(self, org: str, kind: str, data: Json, actor: str | None, expected: int | None) -> Json:
        """The command alone, at the instant up to which everything due is done: `events` or `refused`."""
        self.org, self.actor, self.events = org, actor, []
        if kind in ("bind_project", "move_projects"):
            refused = getattr(self, kind)(data, expected)
        elif kind.endswith("_project"):
            refused = [("INVALID_DATA", None)] if expected is not None else getattr(self, kind)(data)
        else:
            refused = self.on_account(kind, data, expected)
        return {"events": self.events, "refused": refused}

    def on_account(self, kind: str, data: Json, expected: int | None) -> list[Any]:
        profile = data.get("profile") or (data if kind == "report_payment_profile" else None)
        if profile and profile["status"] == "Valid" and profile["valid_until"] and profile["valid_until"] <= self.at:
            return [("INVALID_DATA", None)]
        account = self.accounts.get((self.org, data["account"]))
        if kind == "create_account":
            refused: list[Any] = [("ACCOUNT_ALREADY_EXISTS", None)] if account else []
            refused += [("VERSION_CONFLICT", None)] if expected not in (None, 0) else []
            return refused or self.create(data)
        if account is None:
            return [("ACCOUNT_NOT_FOUND", None)]
        if account["deleted"]:
            return [("ACCOUNT_DELETED", None)]
        if account["phase"] == "Archived" and kind != "delete_account":
            return [("ACCOUNT_ARCHIVED", None)]
        refused = [("VERSION_CONFLICT", None)] if expected not in (None, account["seq"]) else []
        before, had = account["serving"], len(self.events)
        refused += getattr(self, "why_not_" + kind, lambda *_: [])(account, data)
        if not refused:
            getattr(self, kind)(account, data)
            if not account["deleted"] and account["phase"] != "Archived":
                self.conclude(account, before, had, data.get("approval"))
        return refused

    def create(self, data: Json) -> list[Any]:
        account = {
            "org": self.org,
            "id": data["account"],
            "kind": "accounts",
            "seq": 0,
            "phase": None,
            "since": None,
            "currency": data["currency"],
            "name": data["display_name"],
            "contact": data["contact"],
            "terms": data["terms"],
            "labels": data["labels"],
            "serving": data["profile"],
            "pending": None,
            "holds": [],
            "scheduled": {},
            "activated": None,
            "phases": [],
            "past_holds": [],
            "deleted": None,
            "owes": False,
        }
        self.accounts[self.org, data["account"]] = account
        self.emit(
            account,
            "account.created",
            account=account["id"],
            currency=account["currency"],
            displayName=account["name"],
            contact=self.contact(account),
            paymentTerms=self.terms(account),
            paymentProfiles=self.profiles(account),
            labels=account["labels"],
        )
        self.enter(account, "Provisioning", "CREATED")
        self.conclude(account, account["serving"], 0, None)
        return []

    def conclude(self, account: Json, before: Json | None, had: int, approval: Json | None) -> None:
        """Holds that come or go by themselves, then the phase: the first that matches."""
        required = self.rules["profile_required"]
        is_valid = bool(account["serving"]) and account["serving"]["status"] == "Valid"
        if is_valid or not required:
            for hold in [hold for hold in account["holds"] if hold["reason"] in PROFILE_HOLDS]:
                self.release(account, hold, SYSTEM, automatic=True)
        else:
            self.lose_profile(account, before)
        phase = "Provisioning"
        if account["holds"]:
            phase = "Suspended"
        elif account["activated"] or is_valid or not required:
            phase = "Ready"
        if phase == account["phase"]:
            return
        if phase == "Suspended":
            placed = [e for e in self.events[had:] if e["type"] == "billing.account.hold-placed.v1"]
            self.enter(account, phase, placed[0]["data"]["hold"]["reason"])
        else:
            is_first = phase == "Ready" and not account["activated"]
            self.enter(account, phase, "ACTIVATED" if is_first else "REACTIVATED", approval)

    def update_account(self, account: Json, data: Json) -> None:
        new = (
            data.get("display_name", account["name"]),
            data.get("contact", account["contact"]),
            data.get("labels", account["labels"]) or {},
        )
        if new != (account["name"], account["contact"], account["labels"]):
            account["name"], account["contact"], account["labels"] = new
            self.emit(
                account,
                "account.updated",
                account=account["id"],
                displayName=new[0],
                contact=self.contact(account),
                labels=new[2],
            )

    def why_not_change_currency(self, account: Json, data: Json) -> list[Any]:
        is_locked = account["activated"] and data["currency"] != account["currency"]
        return [("CURRENCY_LOCKED", None)] if is_locked else []

    def change_currency(self, account: Json, data: Json) -> None:
        if data["currency"] != account["currency"]:
            account["currency"] = data["currency"]
            self.emit(account, "account.currency-changed", account=account["id"], currency=data["currency"])

    def change_payment_terms(self, account: Json, data: Json) -> None:
        if data["terms"] != account["terms"]:
            account["terms"] = data["terms"]
            self.emit(account, "account.payment-terms-changed", account=account["id"], paymentTerms=self.terms(account))

    def attach_payment_profile(self, account: Json, data: Json) -> None:
        profile, old = data["profile"], (account["serving"], account["pending"])
        if profile["status"] == "Valid" or not account["serving"] or account["serving"]["status"] != "Valid":
            account["serving"] = profile
            if account["pending"] and account["pending"]["external_id"] == profile["external_id"]:
                account["pending"] = None
        else:
            account["pending"] = profile
        if old != (account["serving"], account["pending"]):
            self.emit(
                account,
                "account.payment-profile-attached",
                account=account["id"],
                paymentProfiles=self.profiles(account),
            )

    def report_payment_profile(self, account: Json, data: Json) -> None:
        old, report = (account["serving"], account["pending"]), None
        for place in ("serving", "pending"):
            profile = account[place]
            if not profile or profile["external_id"] != data["external_id"]:
                continue
            until = data["valid_until"]
            if until is None and profile["valid_until"] and profile["valid_until"] > self.at:
                until = profile["valid_until"]
            report = {**profile, "status": data["status"], "cause": data["cause"], "valid_until": until}
            if place == "serving" or data["status"] == "Valid":
                account["serving"] = report
            if place == "pending":
                account["pending"] = None
        if report and old != (account["serving"], account["pending"]):
            self.reported(account, report)

    def why_not_detach_payment_profile(self, account: Json, _: Json) -> list[Any]:
        in_use = (account["serving"] or account["pending"]) and self.paid_by(account)
        return [("PROFILE_IN_USE", None)] if in_use else []

    def detach_payment_profile(self, account: Json, _: Json) -> None:
        if account["serving"] or account["pending"]:
            account["serving"] = account["pending"] = None
            self.emit(
                account,
                "account.payment-profile-detached",
                account=account["id"],
                paymentProfiles=self.profiles(account),
            )
