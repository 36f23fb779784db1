"""Holds, suspensions to come, and the end of an account."""

from typing import Any

from tests.domain.oracle.ledger import SYSTEM, Json
from tests.domain.oracle.projects import Projects

PROFILE_HOLDS = ("PAYMENT_PROFILE_INVALID", "PAYMENT_PROFILE_EXPIRED", "PAYMENT_PROFILE_MISSING")
MESSAGES = {
    "PAYMENT_PROFILE_INVALID": "The payment profile is Invalid.",
    "PAYMENT_PROFILE_EXPIRED": "The payment profile has expired.",
    "PAYMENT_PROFILE_MISSING": "No payment profile is attached.",
}
BLOCKING = ("FRAUD_SUSPECTED", "POLICY_VIOLATION", "COMPLIANCE_HOLD")


class Holds(Projects):
    def place(self, account: Json, id_: str | None, reason: str, message: str, *, blocks: bool, by: str | None) -> None:
        hold = {
            "id": id_ or self.new_id(),
            "derived": id_ is None,
            "reason": reason,
            "message": message,
            "blocks": blocks,
            "by": by,
            "at": self.at,
        }
        account["holds"].append(hold)
        self.emit(account, "account.hold-placed", hold=self.hold(hold))

    def release(self, account: Json, hold: Json, by: str | None, **why: object) -> None:
        account["holds"].remove(hold)
        account["past_holds"].append({"hold": self.hold(hold), "at": self.at, "by": by, **why})
        self.emit(account, "account.hold-released", hold=hold["id"], releasedBy=by, **why)

    def there(self, account: Json, data: Json) -> Json | None:
        """The hold that a suspension would place, or one that has its id."""
        for hold in account["holds"]:
            if data["hold"] is None and hold["derived"] and hold["reason"] == data["reason"]:
                return dict(hold)
            if data["hold"] is not None and hold["id"] == data["hold"]:
                return dict(hold)
        return None

    def blocks(self, data: Json) -> bool:
        return data["reason"] in BLOCKING if data["blocks_rebind"] is None else bool(data["blocks_rebind"])

    def why_not_suspend_account(self, account: Json, data: Json) -> list[Any]:
        hold = self.there(account, data)
        if hold is None or data["hold"] is None:
            return []
        is_equal = [hold["reason"], hold["message"], hold["blocks"]] == [
            data["reason"],
            data["message"],
            self.blocks(data),
        ]
        return [] if is_equal else [("HOLD_ALREADY_EXISTS", None)]

    def suspend_account(self, account: Json, data: Json) -> None:
        if self.there(account, data) is None:
            self.place(account, data["hold"], data["reason"], data["message"], blocks=self.blocks(data), by=self.actor)

    def approval(self, approval: Json | None, *, is_needed: bool) -> list[Any]:
        if approval is None or self.actor is None:
            return [("APPROVAL_REQUIRED", None)] if is_needed else []
        return [("APPROVER_IS_ACTOR", None)] if approval["by"] == self.actor else []

    def meant(self, account: Json, data: Json) -> list[Json]:
        meant = []
        for hold in account["holds"]:
            if data["reason"] is not None and hold["reason"] != data["reason"]:
                continue
            if data["hold"] is not None and hold["id"] != data["hold"]:
                continue
            if data["reason"] is None and data["hold"] is None and hold["reason"] in PROFILE_HOLDS:
                continue
            meant.append(hold)
        return meant

    def why_not_reactivate_account(self, account: Json, data: Json) -> list[Any]:
        meant = self.meant(account, data)
        refused: list[Any] = [] if meant else [("HOLD_NOT_FOUND", None)]
        if [hold for hold in meant if hold["reason"] in PROFILE_HOLDS]:
            refused.append(("HOLD_NOT_RELEASABLE", None))
        reasons = [data["reason"]] if data["reason"] else [hold["reason"] for hold in meant]
        trusted = [reason for reason in reasons if reason in self.rules["approval_not_needed_for"]]
        return refused + self.approval(data["approval"], is_needed=not reasons or len(trusted) < len(reasons))

    def reactivate_account(self, account: Json, data: Json) -> None:
        for hold in self.meant(account, data):
            approval = {"approval": data["approval"]} if data["approval"] else {}
            self.release(account, hold, self.actor, **approval)

    def lose_profile(self, account: Json, before: Json | None) -> str | None:
        """Place the hold of an account that was activated and cannot be charged any more, if that is new."""
        serving = account["serving"]
        if not self.rules["profile_required"] or not account["activated"] or serving == before:
            return None
        if [hold for hold in account["holds"] if hold["reason"] in PROFILE_HOLDS]:
            return None
        if serving is None:
            reason = "PAYMENT_PROFILE_MISSING"
        elif serving["status"] == "Invalid":
            reason = "PAYMENT_PROFILE_EXPIRED" if serving["cause"] == "Expired" else "PAYMENT_PROFILE_INVALID"
        else:
            return None
        self.place(account, None, reason, MESSAGES[reason], blocks=False, by=SYSTEM)
        return reason

    def is_scheduled(self, account: Json, data: Json) -> bool:
        entry = account["scheduled"].get(data["reason"])
        return bool(entry) and (entry["due_at"], entry["message"]) == (data["due_at"], data["message"])

    def why_not_schedule_suspension(self, account: Json, data: Json) -> list[Any]:
        is_short = data["due_at"] - self.at < self.rules["suspension_notice"]
        return [("NOTICE_TOO_SHORT", None)] if is_short and not self.is_scheduled(account, data) else []

    def schedule_suspension(self, account: Json, data: Json) -> None:
        if self.is_scheduled(account, data):
            return
        entry = {"due_at": data["due_at"], "message": data["message"], "by": self.actor, "at": self.at}
        account["scheduled"][data["reason"]] = entry
        self.emit(
            account,
            "account.suspension-scheduled",
            account=account["id"],
            reason=data["reason"],
            dueAt=data["due_at"],
            message=data["message"],
            scheduledBy=self.actor,
            scheduledAt=self.at,
        )

    def why_not_cancel_suspension(self, account: Json, data: Json) -> list[Any]:
        return [] if data["reason"] in account["scheduled"] else [("SUSPENSION_NOT_SCHEDULED", None)]

    def cancel_suspension(self, account: Json, data: Json) -> None:
        del account["scheduled"][data["reason"]]
        self.emit(account, "account.suspension-cancelled", account=account["id"], reason=data["reason"])

    def still_bound(self, account: Json) -> list[Any]:
        paid = sorted(project["id"] for project in self.paid_by(account))
        return [("ACTIVE_BINDINGS", {"count": len(paid), "sample": paid[:10]})] if paid else []

    def why_not_archive_account(self, account: Json, data: Json) -> list[Any]:
        refused, last = self.still_bound(account), self.last_until(account)
        if data["settlement"]:
            through = data["settlement"]["settled_through"]
            is_settled = through <= self.at and (last is None or through >= last)
        else:
            is_settled = last is None
        if not is_settled:
            needed = last.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if last else None
            refused.append(("SETTLEMENT_REQUIRED", {"needed": needed}))
        return refused + self.approval(data["approval"], is_needed=True)

    def archive_account(self, account: Json, data: Json) -> None:
        for _, reason in sorted((entry["due_at"], reason) for reason, entry in account["scheduled"].items()):
            del account["scheduled"][reason]
            self.emit(account, "account.suspension-cancelled", account=account["id"], reason=reason)
        more = {}
        if settlement := data["settlement"]:
            more = {
                "settlement": {"reference": settlement["reference"], "settledThrough": settlement["settled_through"]}
            }
        self.enter(account, "Archived", "CLOSED", data["approval"], **more)

    def why_not_delete_account(self, account: Json, _: Json) -> list[Any]:
        is_blocked = [hold for hold in account["holds"] if hold["blocks"]]
        return self.still_bound(account) + ([("DELETE_BLOCKED_BY_HOLD", None)] if is_blocked else [])

    def delete_account(self, account: Json, _: Json) -> None:
        account["deleted"] = self.at
        self.emit(
            account,
            "account.deleted",
            account=account["id"],
            phase=account["phase"],
            lastBindingUntil=self.last_until(account),
        )
