"""The tables, and the answers that are given from them, against the oracle."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.domain.oracle import Oracle
from tests.domain.oracle.ledger import written
from tests.lane.oracle.comparison import Comparison
from tests.lane.oracle.envelopes import Json
from tests.lane.oracle.lane import Lane, partition_of
from worker.store import queries
from worker.wire.parts import approval, hold
from worker.wire.states import account_state, payer_state

INSTANTS_MAX = 12
"""At how many instants each project is asked about."""
MICROSECOND = timedelta(microseconds=1)

Question = tuple[str, str, datetime]
Answer = tuple[str | None, str | None, datetime | None]


@dataclass
class Asked:
    """Who paid for a project at an instant, as it was answered when that instant was past the horizon: final."""

    answers: dict[Question, Answer] = field(default_factory=dict)
    checked: set[Question] = field(default_factory=set)

    async def ask(self, connection: AsyncConnection, question: Question, partition: int) -> datetime | None:
        """Ask once more; whoever got another answer before was told something false. Returns the horizon."""
        organization, project, at = question
        found = await queries.payer(connection, organization, project, at, lane=partition)
        answer = found.account, found.binding, found.since
        if found.complete_through is not None and at <= found.complete_through:
            assert self.answers.setdefault(question, answer) == answer, question
        return found.complete_through

    def compare(self, comparison: Comparison) -> list[str]:
        """What was answered and is not what the oracle says. Questions about broken organizations are left out."""
        wrong = []
        for question in self.answers.keys() - self.checked:
            organization, project, at = question
            partition = partition_of(organization, len(comparison.lanes))
            lane = comparison.lanes[partition]
            if organization in comparison.wrong or at > lane.latest:
                continue
            self.checked.add(question)
            binding = lane.of(organization).binding_at(organization, project, at)
            expected = [binding["account"], binding["id"], binding["since"]] if binding else [None, None, None]
            found = comparison.names[organization].differences(expected, list(self.answers[question]))
            wrong += [f"{organization}/{project} at {at}: {difference}" for difference in found]
        return wrong


@asynccontextmanager
async def moment(comparison: Comparison, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection to a moment of the database to which the oracle has come as well."""
    while True:
        async with queries.reading(engine) as connection:
            reached = {lane.partition: lane.next_offset for lane in await queries.lanes(connection)}
            if all(comparison.decided.get(partition, 0) == offset for partition, offset in reached.items()):
                yield connection
                return
        await comparison.follow(reached)


async def differences(comparison: Comparison, engine: AsyncEngine, organizations: Iterable[str]) -> list[str]:
    """Where the database says something else than the oracle, of these organizations."""
    wrong: list[str] = []
    async with moment(comparison, engine) as connection:
        for organization in organizations:
            partition = partition_of(organization, len(comparison.lanes))
            looking = Looking(connection, comparison, comparison.lanes[partition], organization, partition)
            wrong += [f"{organization}{difference}" for difference in await looking.differences()]
    return wrong


@dataclass
class Looking:
    """At one organization, in one moment of the database."""

    connection: AsyncConnection
    comparison: Comparison
    lane: Lane
    organization: str
    partition: int

    async def differences(self) -> list[str]:
        oracle = self.lane.of(self.organization)
        wrong = await self._inbox()
        for _, account in oracle.accounts:
            wrong += await self._account(oracle, account)
        for _, project in oracle.projects:
            wrong += await self._project(oracle, project)
        return wrong

    def _differences(self, expected: Any, found: Any, path: str) -> list[str]:
        return self.comparison.names[self.organization].differences(written(expected), _plain(found), path)

    async def _inbox(self) -> list[str]:
        """The ids that are used up."""
        rows = await self.connection.execute(
            text("SELECT command_id, outcome, result FROM inbox WHERE organization = :organization"),
            {"organization": self.organization},
        )
        found = {row[0]: (row[1], "reasons" in json.loads(row[2])) for row in rows}
        expected = {
            id_: ("rejected" if "reasons" in result else "accepted", "reasons" in result)
            for (organization, id_), (_, result) in self.lane.inbox.items()
            if organization == self.organization
        }
        return [] if found == expected else [f" inbox: {found.items() ^ expected.items()}"]

    async def _account(self, oracle: Oracle, id_: str) -> list[str]:
        account = oracle.accounts[self.organization, id_]
        standing = await queries.account(self.connection, self.organization, id_, lane=self.partition)
        phases = await queries.phases(self.connection, self.organization, id_, lane=self.partition)
        if standing.account is None:
            return [f" {id_}: there is no such account"]
        expected = {
            "account": oracle.account_state(account),
            "paid": len(oracle.paid_by(account)),
            "last": oracle.last_until(account),
            "phases": [[each["phase"], each["reason"], each["since"]] for each in account["phases"]],
            "holds": sorted(account["past_holds"], key=lambda past: (past["at"], past["hold"]["placedAt"])),
            "through": self.lane.latest,
        }
        found = {
            "account": account_state(standing.account),
            "paid": standing.usage.active_bindings,
            "last": standing.usage.last_until,
            "phases": [[each.phase.value, str(each.reason), each.since] for each in phases.phases],
            "holds": [_past(each) for each in standing.past_holds],
            "through": standing.complete_through,
        }
        return self._differences(expected, found, f" {id_}") + await self._paid(oracle, id_)

    async def _paid(self, oracle: Oracle, account: str) -> list[str]:
        """What the account paid for at instants at which that changed, and now."""
        mine = [each for each in oracle.bindings if each["account"] == account]
        wrong = []
        for at in [*_some([each["since"] for each in mine]), None]:
            found = await queries.projects(self.connection, self.organization, account, lane=self.partition, at=at)
            expected = [
                [each["project"], each["id"], each["currency"], each["since"], each["until"]]
                for each in sorted(mine, key=lambda each: str(each["project"]))
                if (each["until"] is None if at is None else is_in(each, at))
            ]
            listed = [[one.project, one.binding, one.currency, one.since, one.until] for one in found.projects]
            wrong += self._differences(expected, listed, f" {account} paid at {at}")
        return wrong

    async def _project(self, oracle: Oracle, id_: str) -> list[str]:
        project = oracle.projects[self.organization, id_]
        history = await queries.history(self.connection, self.organization, id_, lane=self.partition)
        if history.project is None:
            return [f" {id_}: there is no such project"]
        timeline = oracle.timeline(project)
        closed = [
            [each["id"], each["account"], each["currency"], each["since"], each["until"], each["reason"]]
            for each in timeline
            if each["until"]
        ]
        expected = {"state": oracle.payer_state(project), "risk": project["at_risk"], "closed": closed}
        found = {
            "state": payer_state(history.project),
            "risk": history.project.at_risk,
            "closed": [
                [each.binding, each.account, each.currency, each.since, each.until, each.end.value]
                for each in history.closed
            ],
        }
        wrong = self._differences(expected, found, f" {id_}")
        asked = [each[end] for each in timeline for end in ("since", "until") if each[end]]
        for at in [*_some(asked), self.lane.latest, self.lane.latest + timedelta(days=1), None]:
            wrong += await self._payer(oracle, project, at)
        return wrong

    async def _payer(self, oracle: Oracle, project: Json, at: datetime | None) -> list[str]:
        """Who pays at an instant, or now."""
        found = await queries.payer(self.connection, self.organization, project["id"], at, lane=self.partition)
        binding = oracle.open_binding(project)
        if at is not None:
            binding = oracle.binding_at(self.organization, project["id"], at)
        known = [binding[name] for name in ("account", "id", "since", "until")] if binding else [None] * 4
        expected = [*known, project["locked"], project["at_risk"], project["deleted"], self.lane.latest]
        answer = [found.account, found.binding, found.since, found.until]
        rest = [found.locked, found.at_risk, found.deleted_at, found.complete_through]
        return self._differences(expected, [*answer, *rest], f" {project['id']} at {at}")


def is_in(binding: Json, at: datetime) -> bool:
    return bool(binding["since"] <= at and (binding["until"] is None or at < binding["until"]))


def _some(instants: list[datetime]) -> list[datetime]:
    """Some of these instants and those just before and after; the same ones each time."""
    around = sorted({at + change for at in instants for change in (-MICROSECOND, 0 * MICROSECOND, MICROSECOND)})
    return Random(len(around)).sample(around, min(len(around), INSTANTS_MAX))  # noqa: S311 - no secret


def _past(past: queries.PastHold) -> Json:
    """A hold that was released, as the oracle has it."""
    found: Json = {"hold": hold(past.hold), "at": past.released_at, "by": past.released_by}
    if past.automatic:
        found["automatic"] = True
    if past.approval is not None:
        found["approval"] = approval(past.approval)
    return found


def _plain(found: Any) -> Any:
    """As JSON has it."""
    if isinstance(found, dict) and "timeline" in found:
        found = json.loads(orjson.dumps(found))
    if isinstance(found, dict):
        return {name: _plain(each) for name, each in found.items()}
    if isinstance(found, list):
        return [_plain(each) for each in found]
    return written(found)
