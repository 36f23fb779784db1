"""Who pays for what."""

from typing import Any

from tests.domain.oracle.ledger import Json, written
from tests.domain.oracle.states import States


class Projects(States):
    def known(self, id_: str) -> Json:
        """The project, from now on if it was not known before."""
        if (self.org, id_) not in self.projects:
            self.projects[self.org, id_] = {
                "org": self.org,
                "id": id_,
                "kind": "projects",
                "seq": 0,
                "since": self.at,
                "locked": False,
                "deleted": None,
                "tombstoned": False,
                "at_risk": False,
            }
        return self.projects[self.org, id_]

    def begin(self, project: Json, account: Json) -> None:
        """Let an account pay, instead of whoever pays now."""
        old, new = self.open_binding(project), self.new_id()
        if old:
            self.end(project, "superseded", "SUPERSEDED", {"supersededBy": {"binding": new, "account": account["id"]}})
        self.bindings.append(
            {
                "id": new,
                "org": project["org"],
                "project": project["id"],
                "account": account["id"],
                "since": self.at,
                "until": None,
                "currency": account["currency"],
                "reason": None,
            }
        )
        before = (
            {"supersedes": old["id"], "previousAccount": old["account"], "previousCurrency": old["currency"]}
            if old
            else {}
        )
        self.emit(
            project,
            "binding.established",
            binding=new,
            project=project["id"],
            account=account["id"],
            since=self.at,
            currency=account["currency"],
            accountSequence=account["seq"],
            **before,
        )

    def end(self, project: Json, kind: str, reason: str, data: Json) -> None:
        binding = self.open_binding(project)
        assert binding
        binding["until"], binding["reason"] = self.at, reason
        project["locked"] = project["at_risk"] = False
        self.emit(
            project,
            f"binding.{kind}",
            binding=binding["id"],
            project=project["id"],
            account=binding["account"],
            since=binding["since"],
            until=self.at,
            currency=binding["currency"],
            **data,
        )

    def missing(self, project: Json, reason: str) -> None:
        self.emit(project, "project.payer-missing", project=project["id"], since=self.at, reason=reason)

    def why_kept(self, project: Json) -> list[Any]:
        binding = self.open_binding(project)
        refused: list[Any] = [("BINDING_LOCKED", None)] if project["locked"] else []
        if binding:
            for hold in self.accounts[self.org, binding["account"]]["holds"]:
                if hold["blocks"]:
                    return [*refused, ("REBIND_BLOCKED_BY_HOLD", None)]
        return refused

    def why_gone(self, account: Json | None) -> list[Any]:
        if account is None:
            return [("ACCOUNT_NOT_FOUND", None)]
        if account["deleted"]:
            return [("ACCOUNT_DELETED", None)]
        return [("ACCOUNT_ARCHIVED", None)] if account["phase"] == "Archived" else []

    def why_not_ready(self, account: Json) -> list[Any]:
        if account["phase"] == "Ready":
            return []
        holds = [written(self.hold(hold)) for hold in account["holds"]]
        return [("ACCOUNT_NOT_READY", {"phase": account["phase"], "holds": holds})]

    def bind_project(self, data: Json, expected: int | None) -> list[Any]:
        account, project = (
            self.accounts.get((self.org, data["account"])),
            self.projects.get((self.org, data["project"])),
        )
        refused = self.why_gone(account)
        if account and not refused:
            refused += [("VERSION_CONFLICT", None)] if expected not in (None, account["seq"]) else []
            refused += self.why_not_ready(account)
        binding = self.open_binding(project) if project else None
        is_payer = bool(binding and binding["account"] == data["account"] and account and account["phase"] == "Ready")
        if project is None and self.rules["strict"]:
            refused.append(("PROJECT_NOT_FOUND", None))
        elif project and project["deleted"]:
            refused.append(("PROJECT_DELETED", None))
        else:
            if "expected_binding" in data and data["expected_binding"] != (binding and binding["id"]):
                refused.append(("BINDING_CHANGED", None))
            if project and binding and not is_payer:
                refused += [] if data["supersede"] else [("PROJECT_ALREADY_BOUND", None)]
                refused += self.why_kept(project)
        if refused or is_payer:
            return refused
        assert account
        if project is None:
            project = self.known(data["project"])
            self.emit(project, "project.registered", project=project["id"])
        self.begin(project, account)
        return []

    def why_not_bound(self, id_: str) -> list[Any]:
        project = self.projects.get((self.org, id_))
        if project is None:
            return [("PROJECT_NOT_FOUND" if self.rules["strict"] else "PROJECT_NOT_BOUND", None)]
        if project["deleted"]:
            return [("PROJECT_DELETED", None)]
        return [] if self.open_binding(project) else [("PROJECT_NOT_BOUND", None)]

    def unbind_project(self, data: Json) -> list[Any]:
        if refused := self.why_not_bound(data["project"]):
            return refused
        project = self.known(data["project"])
        binding = self.open_binding(project)
        assert binding
        if "expected_binding" in data and data["expected_binding"] != binding["id"]:
            refused.append(("BINDING_CHANGED", None))
        refused += self.why_kept(project)
        if not refused:
            self.end(project, "released", "UNBOUND", {"reason": "UNBOUND"})
            self.missing(project, "UNBOUND")
        return refused

    def lock_project(self, data: Json, *, locks: bool = True) -> list[Any]:
        if refused := self.why_not_bound(data["project"]):
            return refused
        project = self.known(data["project"])
        binding = self.open_binding(project)
        assert binding
        if project["locked"] != locks:
            project["locked"] = locks
            self.emit(
                project,
                "binding.locked" if locks else "binding.unlocked",
                binding=binding["id"],
                project=project["id"],
                account=binding["account"],
                note=data["note"],
            )
        return []

    def unlock_project(self, data: Json) -> list[Any]:
        return self.lock_project(data, locks=False)

    def register_project(self, data: Json) -> list[Any]:
        if (self.org, data["project"]) in self.projects:
            return [("PROJECT_DELETED", None)] if self.known(data["project"])["deleted"] else []
        project = self.known(data["project"])
        self.emit(project, "project.registered", project=project["id"])
        self.missing(project, "REGISTERED")
        return []

    def delete_project(self, data: Json) -> list[Any]:
        if (self.org, data["project"]) not in self.projects and self.rules["strict"]:
            return [("PROJECT_NOT_FOUND", None)]
        project = self.known(data["project"])
        if project["deleted"]:
            return []
        if self.open_binding(project):
            self.end(project, "released", "PROJECT_DELETED", {"reason": "PROJECT_DELETED"})
        project["deleted"] = self.at
        self.emit(project, "project.deleted", project=project["id"])
        return []

    def move_projects(self, data: Json, expected: int | None) -> list[Any]:
        is_same = data["source"] == data["target"]
        source, target = self.accounts.get((self.org, data["source"])), self.accounts.get((self.org, data["target"]))
        refused: list[Any] = [("SAME_ACCOUNT", None)] if is_same else []
        source_gone = self.why_gone(source)
        refused += source_gone
        if source and not source_gone:
            refused += [("VERSION_CONFLICT", None)] if expected not in (None, source["seq"]) else []
            refused += [("REBIND_BLOCKED_BY_HOLD", None)] if [h for h in source["holds"] if h["blocks"]] else []
        target_gone = self.why_gone(target)
        refused += [] if is_same else target_gone
        refused += self.why_not_ready(target) if target and not target_gone else []
        ids = data["projects"]
        if ids is None:
            ids = [project["id"] for project in self.paid_by(source)] if source and not source_gone else []
        ids = sorted(ids, key=str.encode)
        if data["projects"] is not None or not source_gone:
            count, limit = data["expected_count"], self.rules["move_projects_max"]
            if count not in (None, len(ids)):
                refused.append(("MOVE_COUNT_MISMATCH", {"expected": count, "actual": len(ids)}))
            refused += [("MOVE_TOO_LARGE", {"limit": limit, "actual": len(ids)})] if len(ids) > limit else []
        items = []
        for id_ in ids:
            code = [code for code, _ in self.why_not_bound(id_)]
            if not code:
                binding = self.open_binding(self.known(id_))
                if not source_gone and binding and binding["account"] != data["source"]:
                    code = ["BINDING_CHANGED"]
                elif self.known(id_)["locked"]:
                    code = ["BINDING_LOCKED"]
            items += [{"project": id_, "code": code[0]}] if code else []
        refused += [("MOVE_ITEMS_INELIGIBLE", {"items": items})] if items else []
        for id_ in [] if refused else ids:
            assert target
            self.begin(self.known(id_), target)
        return refused
