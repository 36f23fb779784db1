"""Found by a history: a command in another lane had what was due for its account done there."""

from collections.abc import Iterator

import orjson
import pytest

from tests.simulation.commands import organizations_of
from tests.simulation.logs import Content
from tests.simulation.replay import decide_alone
from tests.simulation.tables import Tables
from tests.simulation.workers import Cluster
from tests.simulation.world import World
from worker.settings import Settings, Topics

HERE, THERE = 0, 1
ENDS_AT = "2026-03-01T12:00:05Z"
PAST_THE_END_MS = 10_000


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    world = World(0)
    yield Cluster(world, Settings(topics=Topics(partitions=2)))
    world.loop.close()


def send(cluster: Cluster, lane: int, organization: str, kind: str, **data: object) -> None:
    command = {
        "specversion": "1.0",
        "id": f"{lane}-{cluster.broker.commands(lane).end}",
        "source": "tests",
        "type": f"billing.account.{kind}.v1",
        "organization": organization,
        "data": {"account": "amber"} | data,
    }
    cluster.broker.append_command(lane, Content(organization.encode(), orjson.dumps(command), (), 0))


def test_a_misplaced_command_has_nothing_done_for_an_account_of_another_lane(cluster: Cluster) -> None:
    here, _, there, _ = organizations_of(2)
    profile = {"type": "card", "externalId": "pm-1", "status": "Valid", "validUntil": ENDS_AT}
    send(cluster, THERE, there, "create", currency="EUR", paymentProfile=profile)
    send(cluster, HERE, here, "create", currency="EUR", paymentProfile=profile)
    cluster.broker.commands(HERE).clock_ahead_ms = PAST_THE_END_MS
    send(cluster, HERE, there, "update", displayName="Misplaced")
    tables = Tables()
    decide_alone(cluster, tables, THERE, through=1)
    before = tables.accounts[there, "amber"]

    journal = decide_alone(cluster, tables, HERE, through=2)

    said = [orjson.loads(row.value or b"") for row in journal if row.offset == 1]
    expired = [message["subject"] for message in said if message["type"].endswith("payment-profile-reported.v1")]
    assert expired == [f"accounts/{here}/amber"]
    assert [reason["code"] for message in said for reason in message["data"].get("reasons", ())] == ["WRONG_PARTITION"]
    assert tables.accounts[there, "amber"] == before
