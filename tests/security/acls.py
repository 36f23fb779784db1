"""Giving rights as `kafka-acls` does, from the words of the command itself; and taking them away."""

import argparse
import shlex
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest

from worker.broker import clients
from worker.broker.acls import ADMIN_SETTINGS
from worker.settings import Kafka

TYPES = {"topic": 2, "group": 3, "cluster": 4, "transactional_id": 5}
OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Delete": 6, "Alter": 7, "Describe": 8, "DescribeConfigs": 10}
PATTERNS = {"literal": 3, "prefixed": 4}
ANYWHERE, ALLOW = "*", 3


@dataclass(frozen=True)
class Acl:
    """One operation on one resource, for one principal: what the broker keeps."""

    principal: str
    operation: str
    kind: str
    name: str
    pattern: str

    def __str__(self) -> str:
        return f"{self.operation} {self.kind} {self.name}"


def read_command(line: str) -> Iterator[Acl]:
    """The rights that a `kafka-acls` command adds. Fails for what that does not know, or would not do."""
    program, *words = shlex.split(line)
    assert program == "kafka-acls"
    parser = argparse.ArgumentParser(allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--bootstrap-server", required=True)
    parser.add_argument("--command-config", choices=[ADMIN_SETTINGS], required=True)
    parser.add_argument("--add", action="store_true", required=True)
    parser.add_argument("--allow-principal", required=True)
    parser.add_argument("--operation", action="append", choices=list(OPERATIONS), required=True)
    for kind in ("topic", "group", "transactional-id"):
        parser.add_argument(f"--{kind}", action="append", default=[])
    parser.add_argument("--resource-pattern-type", choices=list(PATTERNS), default="literal")
    said = parser.parse_args(words)
    for kind in TYPES:
        for name in getattr(said, kind, []):
            for operation in said.operation:
                yield Acl(said.allow_principal, operation, kind, name, said.resource_pattern_type)


class Rights:
    """What the cluster allows, as somebody changes it who may."""

    def __init__(self, admin: AIOKafkaAdminClient) -> None:
        self._admin = admin

    async def give(self, *acls: Acl) -> None:
        """Allow it. The brokers obey as soon as they have heard of it, which is soon."""
        for acl in acls:
            answer = await self._say(CreateAclsRequest, acl)
            assert [code for code, *_ in answer.creation_responses] == [0], answer

    async def take(self, *acls: Acl) -> None:
        """Do not allow it any more."""
        for acl in acls:
            answer = await self._say(DeleteAclsRequest, acl)
            ((code, _, matching),) = answer.filter_responses
            assert (code, len(matching)) == (0, 1), answer

    @asynccontextmanager
    async def without(self, acl: Acl) -> AsyncIterator[None]:
        """One right fewer for as long as the block lasts."""
        await self.take(acl)
        try:
            yield
        finally:
            await self.give(acl)

    async def _say(self, request: type[CreateAclsRequest] | type[DeleteAclsRequest], acl: Acl) -> Any:
        said = request(
            TYPES[acl.kind],
            acl.name,
            PATTERNS[acl.pattern],
            acl.principal,
            ANYWHERE,
            OPERATIONS[acl.operation],
            ALLOW,
        )
        # The client knows the request, and has no method for it.
        return await self._admin._send_request(said)  # noqa: SLF001


@asynccontextmanager
async def changing_rights(kafka: Kafka) -> AsyncIterator[Rights]:
    """As an administrator of the cluster."""
    admin = clients.admin(kafka)
    try:
        await admin.start()
        yield Rights(admin)
    finally:
        await admin.close()


def acls_of(commands: Sequence[str]) -> list[Acl]:
    """Everything that the commands give, in their order."""
    return [acl for command in commands for acl in read_command(command)]
