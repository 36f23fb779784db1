"""One worker for all stories: each is told of an organization of its own."""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.system.deployment import Deployment, WorkerProcess
from tests.system.provision import own_database, own_deployment
from tests.system.settling import until
from tests.system.stacks import Addresses


@dataclass
class World:
    """A deployment with a running worker, as somebody outside sees it."""

    deployment: Deployment
    worker: WorkerProcess
    told: Counter[str] = field(default_factory=Counter)

    async def tell(self, organization: str, *commands: bytes) -> list[dict[str, Any]]:
        """Publish commands and wait for their results, in order."""
        await self.deployment.publish(organization, *commands)
        before, self.told[organization] = self.told[organization], self.told[organization] + len(commands)
        results: list[dict[str, Any]] = []

        async def all_answered() -> bool:
            results[:] = await self.messages("command_results", organization)
            return len(results) >= self.told[organization]

        await until(all_answered, f"results of {organization}", seconds=30)
        return results[before:]

    async def messages(self, topic: str, organization: str) -> list[dict[str, Any]]:
        """What a topic carries about an organization, in order."""
        return [found for found in await self.deployment.messages(topic) if found["organization"] == organization]

    async def events(self, organization: str, *words: str) -> list[dict[str, Any]]:
        """Events of these types, without prefix and version; default: all."""
        found = [
            *await self.messages("account_events", organization),
            *await self.messages("binding_events", organization),
        ]
        types = {f"billing.{word}.v1" for word in words}
        return [event for event in found if not types or event["type"] in types]

    async def newest(self, topic: str, key: str) -> dict[str, Any]:
        """The data of the newest record of a key in a compacted topic."""
        records = [record for record in await self.deployment.read(topic) if record.key == key.encode()]
        data: dict[str, Any] = json.loads(records[-1].value)["data"]
        return data

    async def program(self, *arguments: str) -> dict[str, Any]:
        """What the program answers with --json."""
        command = [sys.executable, "-m", "worker", *arguments, "--json"]
        environment = os.environ | self.deployment.environment
        done = await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, check=True)
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


@pytest.fixture(scope="package")
async def world(stack: Addresses, migrated: str) -> AsyncIterator[World]:
    async with own_database(stack, migrated) as database_url, own_deployment(stack, database_url) as deployment:
        with deployment.worker(LANES__TICK_SECONDS="0.5") as worker:
            await asyncio.to_thread(worker.wait_ready)
            yield World(deployment, worker)
