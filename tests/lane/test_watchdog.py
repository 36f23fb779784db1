"""A worker that lives and does not get on ends by itself; one whose surroundings are away does not."""

import asyncio
from urllib.request import urlopen

from tests.system.checker import check
from tests.system.deployment import Deployment, WorkerProcess, command, ready_account
from tests.system.settling import until
from worker.broker import clients

QUICK = {"LANES__TICK_SECONDS": "0.3", "LANES__STALL_SECONDS_MAX": "3"}


async def test_a_worker_whose_subscription_hands_over_nothing_any_more_ends_and_the_next_one_goes_on(
    deployment: Deployment,
) -> None:
    with deployment.worker(TESTING__FAILPOINTS='{"polled": "hang@400"}', **QUICK) as stuck:
        await asyncio.to_thread(stuck.wait_ready)
        assert await asyncio.to_thread(stuck.died, 60) == 1
        (told,) = [event for event in stuck.events() if event["event"] == "stuck"]
        assert "has not moved for" in next(iter(told["lanes"].values()))

    await deployment.publish("acme", ready_account("acme", "main"))
    with deployment.worker():
        await deployment.answers()
    await check(deployment)


async def test_a_publishers_open_transaction_makes_a_lane_unready_and_does_not_end_the_process(
    deployment: Deployment,
) -> None:
    with deployment.worker(**QUICK) as worker:
        await asyncio.to_thread(worker.wait_ready)
        producer = clients.producer(
            deployment.settings.kafka, transactional_id=f"{deployment.settings.kafka.group_id}-x"
        )
        async with producer:
            await producer.begin_transaction()
            await producer.send_and_wait(
                deployment.settings.topics.commands, ready_account("acme", "main"), key=b"acme", partition=0
            )
            await until(lambda: _says(worker, "open transaction"), "the lane names what it waits for")
            await asyncio.sleep(float(QUICK["LANES__STALL_SECONDS_MAX"]) + 1)
            assert worker.process.poll() is None
            await producer.abort_transaction()
        await asyncio.to_thread(worker.wait_ready)


async def test_the_metrics_of_a_worker_tell_what_it_did_and_where_each_lane_stands(deployment: Deployment) -> None:
    stale = command("acme", "project.bind", "b-2", project="p-1", account="other")
    with deployment.worker() as worker:
        bad_trace = command("acme", "project.bind", "b-1", project="p-1", account="main").replace(
            b'"organization"', b'"traceparent": "zz", "organization"'
        )
        await deployment.publish("acme", ready_account("acme", "main"), bad_trace, stale, b"{")
        await deployment.answers()
        lags = {f'billing_lane_lag_records{{lane="{lane}"}}' for lane in range(deployment.settings.topics.partitions)}
        await until(lambda: _tells(worker, lags), "the log of every lane was looked at once")
        told = await asyncio.to_thread(_metrics, worker)

        assert told['billing_commands_total{outcome="accepted"}'] == 2
        assert told['billing_commands_total{outcome="rejected"}'] == 1
        assert told['billing_dead_letters_total{reason="NOT_JSON"}'] == 1
        assert told['billing_attributes_ignored_total{attribute="traceparent"}'] == 1
        assert told["billing_publish_seconds_count"] >= 1
        assert told["billing_rebalances_total"] == 1
        assert told["billing_batch_commands_sum"] >= 4
        for lane in range(deployment.settings.topics.partitions):
            assert told[f'billing_lane_state{{lane="{lane}",state="running"}}'] == 1
            assert told[f'billing_lane_lag_records{{lane="{lane}"}}'] >= 0
            assert told[f'billing_lane_unpublished_age_seconds{{lane="{lane}"}}'] < 60
            assert told[f'billing_lane_progress_age_seconds{{lane="{lane}"}}'] < 60


def _metrics(worker: WorkerProcess) -> dict[str, float]:
    with urlopen(f"{worker.address()}/metrics", timeout=10) as answer:  # noqa: S310
        lines = answer.read().decode().splitlines()
    return {name: float(figure) for name, _, figure in (line.rpartition(" ") for line in lines if line[0] != "#")}


async def _tells(worker: WorkerProcess, names: set[str]) -> bool:
    return names <= (await asyncio.to_thread(_metrics, worker)).keys()


async def _says(worker: WorkerProcess, words: str) -> bool:
    _, causes = await asyncio.to_thread(worker.readiness)
    return any(words in cause for cause in causes.values())
