"""What time alone brings about."""

from datetime import datetime

from tests.domain.oracle.holds import BLOCKING, Holds
from tests.domain.oracle.ledger import Json


class Due(Holds):
    """Done account by account in the order in which it falls due, then all notices, then tombstones.

    The contract leaves open whether those whom a suspension concerns that begins by itself are told at once, at the
    very position of the log, or as due work of the next one: `tells_at_once`.
    """

    tells_at_once = True

    def tick(self, at: datetime) -> list[Json]:
        """Profiles expire, scheduled suspensions begin, notices go out, records of deleted projects go."""
        self.at, self.events = at, []
        due = self.due_now()
        owing = [(account, account["since"]) for account in due if account["owes"]]
        for account in due:
            self.fall_due(account)
        if self.tells_at_once:
            owing = [(account, account["since"]) for account in self.due_now()]
        for account, since in owing:
            if account["since"] == since:  # else they are to be told something else by now
                self.notify(account)
        return self.events

    def tombstones(self) -> list[str]:
        """Deleted projects whose record leaves its compacted topic now."""
        due = []
        for (_, id_), project in self.projects.items():
            is_due = project["deleted"] and project["deleted"] + self.rules["tombstone_after"] <= self.at
            if is_due and not project["tombstoned"]:
                project["tombstoned"] = True
                due.append(id_)
        return due

    def due_now(self) -> list[Json]:
        due = sorted((self.due_at(account), account["org"], account["id"]) for account in self.living())
        return [self.accounts[org, id_] for when, org, id_ in due if when <= self.at]

    def living(self) -> list[Json]:
        return [a for a in self.accounts.values() if not a["deleted"] and a["phase"] != "Archived"]

    def due_at(self, account: Json) -> datetime:
        when = [entry["due_at"] for entry in account["scheduled"].values()]
        if account["serving"] and account["serving"]["status"] == "Valid" and account["serving"]["valid_until"]:
            when.append(account["serving"]["valid_until"])
        if account["owes"]:
            when.append(account["since"])
        return min(when, default=datetime.max.replace(tzinfo=self.at.tzinfo))

    def fall_due(self, account: Json) -> None:
        self.org = account["org"]
        serving, before = account["serving"], account["serving"]
        if serving and serving["status"] == "Valid" and serving["valid_until"] and serving["valid_until"] <= self.at:
            account["serving"] = {**serving, "status": "Invalid", "cause": "Expired"}
            self.reported(account, account["serving"])
        due = sorted(
            (entry["due_at"], reason) for reason, entry in account["scheduled"].items() if entry["due_at"] <= self.at
        )
        begun = []
        for _, reason in due:
            entry = account["scheduled"].pop(reason)
            if [hold for hold in account["holds"] if hold["derived"] and hold["reason"] == reason]:
                self.emit(account, "account.suspension-cancelled", account=account["id"], reason=reason)
            else:
                begun.append((reason, entry))
        first = self.lose_profile(account, before)
        for reason, entry in begun:
            self.place(account, None, reason, entry["message"], blocks=reason in BLOCKING, by=entry["by"])
            first = first or reason
        if first and account["phase"] != "Suspended":
            self.enter(account, "Suspended", first)

    def notify(self, account: Json) -> None:
        """Tell the projects that the account pays for, once: at-risk, or restored if they had at-risk."""
        self.org = account["org"]
        risk = account["phase"] == "Suspended"
        for project in sorted(self.paid_by(account), key=lambda project: str(project["id"])):
            if account["owes"] and project["at_risk"] != risk:
                project["at_risk"] = risk
                self.emit(
                    project,
                    "project.payer-at-risk" if risk else "project.payer-restored",
                    account=account["id"],
                    phase=account["phase"],
                    reasons=list(dict.fromkeys(hold["reason"] for hold in account["holds"])),
                    since=account["since"],
                    accountSequence=account["seq"],
                )
        account["owes"] = False
