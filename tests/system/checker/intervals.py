"""E4: at every prefix of a project's events at most one account pays, and a rebind leaves no gap."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.system.checker.messages import Json, Message, kind_of


@dataclass(slots=True)
class _Standing:
    open: Json | None = None
    ended: Json | None = None
    """The last binding that was closed."""
    heir: Json | None = None
    """Who was announced by a supersession, until established."""
    at: str = ""


@dataclass
class Intervals:
    """The binding events, in the order of their topic."""

    projects: dict[str, _Standing] = field(default_factory=dict)

    def see(self, message: Message) -> Iterator[str]:
        """One event, against what was before it."""
        assert message.body is not None
        body = message.body
        standing = self.projects.setdefault(body["subject"], _Standing())
        kind, data = kind_of(body), body["data"]
        if body["time"] < standing.at:
            yield f"{message} is of {body['time']}, before the one that it follows, {standing.at}"
        standing.at = body["time"]
        if standing.heir is not None and kind != "binding.established":
            yield f"{message} comes between a supersession and the binding that it announces"
        if kind == "binding.established":
            yield from self._begins(message, standing, data)
        elif kind in {"binding.superseded", "binding.released"}:
            yield from self._ends(message, standing, data, data.get("supersededBy"))
        elif kind == "project.deleted" and standing.open is not None:
            yield f"{message} while {standing.open['account']} pays"

    def _begins(self, message: Message, standing: _Standing, data: Json) -> Iterator[str]:
        if standing.open is not None:
            yield f"{message}: {data['account']} pays while {standing.open['account']} does"
        last, heir = standing.ended, standing.heir
        if last is not None and data["since"] < last["until"]:
            yield f"{message} begins at {data['since']}, before the one before it ends, {last['until']}"
        if heir is not None and last is not None:
            if last["until"] != data["since"]:
                yield f"{message} leaves a gap: {last['until']} to {data['since']}"
            if heir != {"binding": data["binding"], "account": data["account"]}:
                yield f"{message} is not who was announced, {heir}"
            predecessor = last["binding"], last["account"], last["currency"]
            if predecessor != tuple(data.get(name) for name in ("supersedes", "previousAccount", "previousCurrency")):
                yield f"{message} names another predecessor than {predecessor}"
        elif "supersedes" in data:
            yield f"{message} supersedes a binding that nobody ended"
        if data["since"] != message.body["time"]:  # type: ignore[index]  # an event has a body
            yield f"{message} begins at {data['since']}, not at its instant"
        standing.open, standing.heir = data, None

    def _ends(self, message: Message, standing: _Standing, data: Json, heir: Json | None) -> Iterator[str]:
        parts = ("binding", "account", "since", "currency")
        opened = standing.open
        if opened is None or any(opened[name] != data[name] for name in parts):
            yield f"{message} ends {data['account']}'s binding, but {opened and opened['account']} pays"
        if not data["since"] < data["until"]:
            yield f"{message} ends at {data['until']}, not after it began"
        if data["until"] != message.body["time"]:  # type: ignore[index]  # an event has a body
            yield f"{message} ends at {data['until']}, not at its instant"
        standing.open, standing.ended, standing.heir = None, data, heir

    def have_their_heirs(self) -> Iterator[str]:
        """Whoever was announced came."""
        for project, standing in self.projects.items():
            if standing.heir is not None:
                yield f"{project} has nobody in place of the binding that was superseded last"


AGREEMENT = {
    "more than one open binding": "SELECT organization, project FROM bindings WHERE ended = 'open'"
    " GROUP BY 1, 2 HAVING count(*) > 1",
    "intervals that overlap": "SELECT organization, project, since FROM (SELECT *, lag(until) OVER one AS before"
    " FROM bindings WINDOW one AS (PARTITION BY organization, project ORDER BY since)) AS b WHERE since < before",
    "an interval without length": "SELECT organization, project, since FROM bindings WHERE since >= until",
    "a gap in a rebind": "SELECT organization, project, since FROM (SELECT *, lead(since) OVER one AS heir"
    " FROM bindings WINDOW one AS (PARTITION BY organization, project ORDER BY since)) AS b"
    " WHERE ended = 'superseded' AND heir IS DISTINCT FROM until",
    "a binding of nobody": "SELECT organization, project, since FROM bindings AS b WHERE NOT EXISTS (SELECT 1 FROM"
    " accounts AS a WHERE a.organization = b.organization AND a.account = b.account) OR NOT EXISTS (SELECT 1 FROM"
    " projects AS p WHERE p.organization = b.organization AND p.project = b.project)",
    "a deleted project that is paid for": "SELECT organization, project FROM bindings JOIN projects"
    " USING (organization, project) WHERE ended = 'open' AND deleted_at IS NOT NULL",
    "a miscounted account": "SELECT organization, account, active_bindings FROM accounts LEFT JOIN"
    " (SELECT organization, account, count(*) FILTER (WHERE ended = 'open') AS active,"
    " max(until) FILTER (WHERE ended <> 'open') AS latest FROM bindings GROUP BY 1, 2) AS b"
    " USING (organization, account) WHERE active_bindings <> coalesce(active, 0)"
    " OR last_binding_until IS DISTINCT FROM latest",
}
"""The same in SQL: what each of these finds is a violation."""
