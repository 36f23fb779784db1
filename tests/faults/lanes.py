"""Where the lanes stand, as the database and the topics tell it."""

import json

from tests.system.deployment import Deployment, WorkerProcess


async def decided(deployment: Deployment) -> dict[int, int]:
    """The position of every lane that has moved, in the database."""
    rows = await deployment.rows("SELECT partition, next_offset FROM lanes WHERE next_offset > 0")
    return dict(rows)


async def published(deployment: Deployment) -> dict[int, int]:
    """Through which position each lane's output is published, as its newest horizon says."""
    horizons: dict[int, int] = {}
    for record in await deployment.read("horizons"):
        partition = int(record.key.decode().rpartition("/")[2])
        horizons[partition] = max(horizons.get(partition, 0), json.loads(record.value)["data"]["offset"])
    return horizons


async def epochs(deployment: Deployment) -> dict[int, int]:
    """How often each lane was taken over."""
    return dict(await deployment.rows("SELECT partition, epoch FROM lanes"))


async def own_lanes(*workers: WorkerProcess) -> bool:
    """Whether each of them has run a lane."""
    return all(worker.said("lane_runs") for worker in workers)


async def has_come_back(worker: WorkerProcess) -> bool:
    """Whether it runs a lane that it took anew, or that another one had before."""
    return any(event["epoch"] > 1 for event in worker.said("lane_runs"))
