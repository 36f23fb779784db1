"""The consumer group: who has which partitions. Whoever is silent for too long is out, and hears of it later."""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Protocol

from tests.simulation.loop import Process
from tests.simulation.world import World

SESSION_SECONDS = 0.8
"""After so long a silence a member is out."""

HEARTBEAT_SECONDS = 0.15
"""Within so long a member hears that it has to join again."""

JOIN_SECONDS = 1.0
"""So long the group waits for its members to come back."""


class Member(Protocol):
    """A consumer, as the group sees it."""

    process: Process
    told: asyncio.Event


class Group:
    """The coordinator's side."""

    def __init__(self, world: World, partitions: int) -> None:
        self.members: list[Member] = []
        self.assigned: dict[int, Member] = {}
        self.generation = 0
        self._world = world
        self._random: Random = world.source("group")
        self._partitions = partitions
        self._joining: dict[Member, asyncio.Future[Sequence[int]]] = {}
        self.is_joining = False

    def join(self, member: Member) -> "asyncio.Future[Sequence[int]]":
        """Come (back) in. The future has the partitions."""
        answer: asyncio.Future[Sequence[int]] = self._world.loop.create_future()
        self._world.loop.later(self._world.latency(), self._join, member, answer)
        return answer

    def leave(self, member: Member) -> None:
        """Go. The others share what was this member's."""
        if member not in self.members:
            return
        self.members.remove(member)
        self._joining.pop(member, None)
        self._world.note("leaves the group", member.process.name)
        if not self.is_joining:
            self.rebalance()
        self._complete_if_all_are_in()

    def evict(self, member: Member, deaf_seconds: float = HEARTBEAT_SECONDS) -> None:
        """Take a member for dead. It hears of it when its next heartbeat comes through."""
        if member in self.members:
            self.leave(member)
            self._tell(member, deaf_seconds)

    def expect(self, member: Member) -> None:
        """Look again later whether a member that is silent now still is."""
        self._world.loop.later(SESSION_SECONDS, self._look, member)

    def rebalance(self) -> None:
        """Have everybody join again."""
        self.is_joining = True
        self.generation += 1
        self._world.note("rebalance", str(self.generation))
        for member in self.members:
            if member not in self._joining:
                self._tell(member)
        self._world.loop.later(JOIN_SECONDS, self._close, self.generation)

    def _tell(self, member: Member, within_seconds: float = HEARTBEAT_SECONDS) -> None:
        loop = self._world.loop
        seconds = self._world.draw() * within_seconds
        loop.call_at(loop.time() + seconds, member.told.set, context=member.process.context)

    def _look(self, member: Member) -> None:
        if not member.process.is_running and member in self.members:
            self.evict(member)

    def _join(self, member: Member, answer: "asyncio.Future[Sequence[int]]") -> None:
        if answer.done():
            return  # asked anew meanwhile
        if member not in self.members:
            self.members.append(member)
        self._joining[member] = answer
        if not self.is_joining:
            self.rebalance()
        self._complete_if_all_are_in()

    def _close(self, generation: int) -> None:
        """Whoever has not come back by now is out."""
        if not self.is_joining or generation != self.generation:
            return
        for member in [each for each in self.members if each not in self._joining]:
            self.members.remove(member)
            self._world.note("too late for the group", member.process.name)
        self._complete_if_all_are_in()

    def _complete_if_all_are_in(self) -> None:
        if not self.is_joining or len(self._joining) < len(self.members):
            return
        self.is_joining = False
        members = list(self.members)
        self._random.shuffle(members)
        shares: dict[Member, list[int]] = {member: [] for member in members}
        for partition in range(self._partitions if members else 0):
            member = members[partition % len(members)]
            shares[member].append(partition)
            self.assigned[partition] = member
        answers, self._joining = self._joining, {}
        for member, answer in answers.items():
            self._world.note("assigned", f"{member.process.name}: {shares[member]}")
            self._world.loop.later(self._world.latency(), _set, answer, shares[member])
            if not member.process.is_running:
                self.expect(member)


def _set(answer: "asyncio.Future[Sequence[int]]", partitions: Sequence[int]) -> None:
    if not answer.done():
        answer.set_result(partitions)
