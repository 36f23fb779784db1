"""Taking away and giving back the right to write to a topic. Everybody is the same anonymous user here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest

from tests.faults.kafka.asking import asking
from tests.system.deployment import Deployment

AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}
"""Settings of a broker that looks at rights, and grants those of which nothing is said."""

EVERYBODY, ANYWHERE = "User:ANONYMOUS", "*"
TOPIC, LITERAL, ALL, WRITE, DENY, ALLOW = 2, 3, 2, 4, 2, 3


@asynccontextmanager
async def write_denied(deployment: Deployment, *names: str) -> AsyncIterator[None]:
    """Nobody may write to these topics (names in the settings) for as long as the block lasts."""
    topics = [getattr(deployment.settings.topics, name) for name in names]
    async with asking(deployment) as admin:
        for topic in topics:
            # A topic of which anything is said grants nothing else by itself.
            await _say(admin, CreateAclsRequest, topic, ALL, ALLOW)
            await _say(admin, CreateAclsRequest, topic, WRITE, DENY)
        yield
        for topic in topics:
            await _say(admin, DeleteAclsRequest, topic, WRITE, DENY)
            await _say(admin, DeleteAclsRequest, topic, ALL, ALLOW)


async def _say(
    admin: AIOKafkaAdminClient,
    request: type[CreateAclsRequest] | type[DeleteAclsRequest],
    topic: str,
    operation: int,
    permission: int,
) -> None:
    said = request(TOPIC, topic, LITERAL, EVERYBODY, ANYWHERE, operation, permission)
    answer = await admin._send_request(said)  # noqa: SLF001 - the client knows the request, and has no method for it
    answers = answer.creation_responses if request is CreateAclsRequest else answer.filter_responses
    assert [each[0] for each in answers] == [0], answer
