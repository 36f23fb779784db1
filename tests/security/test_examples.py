"""The example that attributes usage reaches a Kafka with TLS by the worker's own settings."""

from pathlib import Path

import pytest

from examples.attribute_usage import facts_into, load
from examples.reaching import servers
from tests.security.conftest import Place
from tests.security.servers import ADMIN
from tests.system.provision import PARTITIONS
from worker.broker import clients

pytestmark = pytest.mark.timeout(300)


def environment_of(place: Place, way: str, folder: Path) -> dict[str, str]:
    """As an administrator comes in; passwords are in files."""
    mutual = way == "a certificate"
    environment = place.kafka.certified(ADMIN) if mutual else place.kafka.environment(ADMIN, way)
    name = "BILLING_KAFKA__KEY_PASSWORD" if mutual else "BILLING_KAFKA__PASSWORD"
    file = folder / "password"
    file.write_text(environment.pop(name) + "\n")
    return environment | {f"{name}_FILE": str(file)}


@pytest.mark.parametrize("way", ["SCRAM-SHA-512", "PLAIN", "a certificate"])
async def test_it_comes_in_by_every_way(
    way: str, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = place.deployment(environment_of(place, way, tmp_path))
    for name, value in deployment.environment.items():
        monkeypatch.setenv(name, value)
    event = b"an event of somebody"
    async with clients.producer(deployment.settings.kafka) as producer:
        await producer.send_and_wait(deployment.settings.topics.binding_events, event, partition=0)

    async with facts_into(load(None, PARTITIONS)) as facts:
        ends = await facts.ends.end_offsets(facts.logs)

    assert sum(ends.values()) == 1
    assert {log.topic for log in facts.logs} > {deployment.settings.topics.binding_events}


def test_a_password_that_is_not_in_a_file_does_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_KAFKA__SECURITY_PROTOCOL", "sasl_ssl")
    monkeypatch.setenv("BILLING_KAFKA__USERNAME", "biller")
    monkeypatch.setenv("BILLING_KAFKA__PASSWORD", "of the biller")
    reached = servers()

    assert (reached["sasl_plain_username"], reached["sasl_plain_password"]) == ("biller", "of the biller")
    assert reached["ssl_context"].check_hostname
