"""What a real worker exposes at `/metrics`, and that Prometheus' own tool has nothing to say against it."""

import asyncio
import subprocess
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.lane.test_defects import ORGANIZATION, claim_the_next_phase, suspend
from tests.ops.prometheus import needs_prometheus
from tests.system.deployment import Deployment, WorkerProcess, command, ready_account
from tests.system.provision import PARTITIONS
from tests.system.settling import until
from worker.metrics import UNITS


def exposed_by(worker: WorkerProcess) -> str:
    with urlopen(f"{worker.address()}/metrics", timeout=20) as answer:  # noqa: S310
        return str(answer.read().decode())


def samples_of(text: str) -> list[Sample]:
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def sums_of(text: str) -> dict[str, float]:
    """The figures by name, over all labels."""
    sums: dict[str, float] = {}
    for sample in samples_of(text):
        sums[sample.name] = sums.get(sample.name, 0) + sample.value
    return sums


async def test_a_worker_tells_of_latency_horizons_connections_and_itself(deployment: Deployment) -> None:
    unbound = command("acme", "project.unbind", "u-1", project="p-1")
    bound = command("acme", "project.bind", "b-1", project="p-1", account="main")
    with deployment.worker() as worker:
        await asyncio.to_thread(worker.wait_ready)
        await deployment.publish("acme", ready_account("acme", "main"), bound, unbound)
        await deployment.answers()
        await until(lambda: has_published_all(worker), "every lane has published a horizon")
        text = await asyncio.to_thread(exposed_by, worker)

    told = sums_of(text)
    assert told["billing_ready"] == told["billing_build_info"] == 1
    assert told["billing_command_partitions"] == PARTITIONS
    assert told["billing_database_connections_max"] == deployment.settings.database.pool_size
    assert 1 <= told["billing_database_connections"] <= deployment.settings.database.pool_size
    assert told["billing_committed_latency_seconds_count"] == told["billing_batch_seconds_count"]
    assert 1 <= told["billing_published_latency_seconds_count"] <= told["billing_committed_latency_seconds_count"]
    assert told["billing_committed_latency_seconds_sum"] > 0
    assert told["billing_event_loop_late_seconds_count"] > 0
    assert told["billing_payers_missing_total"] == 1
    assert told["process_resident_memory_bytes"] > 10_000_000
    ages = [sample for sample in samples_of(text) if sample.name == "billing_lane_horizon_age_seconds"]
    assert {sample.labels["lane"] for sample in ages} == {str(lane) for lane in range(PARTITIONS)}
    assert all(0 <= sample.value < 60 for sample in ages)
    assert "billing_lane_stopped{" not in text
    assert [name for name in told if name.endswith("_created")] == []


async def has_published_all(worker: WorkerProcess) -> bool:
    text = await asyncio.to_thread(exposed_by, worker)
    return text.count("billing_lane_horizon_age_seconds{") == PARTITIONS


async def test_no_label_holds_an_id_or_what_people_wrote(deployment: Deployment) -> None:
    with deployment.worker() as worker:
        await asyncio.to_thread(worker.wait_ready)
        await deployment.publish("acme", ready_account("acme", "main"), b"{")
        await deployment.answers()
        text = await asyncio.to_thread(exposed_by, worker)

    families = [family for family in text_string_to_metric_families(text) if family.name.startswith("billing_")]
    assert len(families) > 20
    assert "acme" not in text
    for family in families:
        known = UNITS[family.name.removesuffix("_info")].labels
        for sample in family.samples:
            for label, value in sample.labels.items():
                if label == "le":
                    continue
                values = known[label]
                is_known = value in values if isinstance(values, tuple) else label in {"lane", "version"}
                assert is_known, (sample.name, label, value)


async def test_what_the_database_refuses_is_counted_as_a_broken_invariant(deployment: Deployment) -> None:
    with deployment.worker() as worker:
        await deployment.publish(ORGANIZATION, ready_account(ORGANIZATION, "broken"))
        await deployment.answers()
        before = sums_of(await asyncio.to_thread(exposed_by, worker))
        await claim_the_next_phase(deployment)
        await deployment.publish(ORGANIZATION, suspend("broken"))
        deployment.sent += 1  # a copy in dead letters, beside the answer
        await deployment.answers()
        after = sums_of(await asyncio.to_thread(exposed_by, worker))

    assert (before["billing_defects_total"], before["billing_batch_defects_total"]) == (0, 0)
    assert after["billing_defects_total"] == 1
    assert after["billing_batch_defects_total"] >= 1
    assert after["billing_dead_letters_total"] == 1


@pytest.mark.ops
@needs_prometheus
async def test_prometheus_has_nothing_to_say_against_what_is_exposed(deployment: Deployment) -> None:
    with deployment.worker() as worker:
        await asyncio.to_thread(worker.wait_ready)
        await deployment.publish("acme", ready_account("acme", "main"))
        await deployment.answers()
        text = await asyncio.to_thread(exposed_by, worker)

    checked = await asyncio.to_thread(check, text)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def check(text: str) -> subprocess.CompletedProcess[str]:
    arguments = ["promtool", "check", "metrics"]
    return subprocess.run(arguments, input=text, capture_output=True, text=True, check=False, timeout=60)
