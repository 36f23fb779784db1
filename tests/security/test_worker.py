"""A whole run over TLS, by each way into Kafka; and no secret of it is anywhere that somebody looks."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from tests.security.conftest import Place
from tests.security.servers import ADMIN, KEY_PASSWORD, OWNER_PASSWORD, PASSWORDS, SecuredKafka
from tests.system.deployment import Deployment, ready_account
from tests.system.settling import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SECRETS = (*PASSWORDS.values(), KEY_PASSWORD, OWNER_PASSWORD)
WAYS = ("SCRAM-SHA-512", "PLAIN", "a certificate")


def reaching(kafka: SecuredKafka, way: str) -> dict[str, str]:
    return kafka.certified(ADMIN) if way == "a certificate" else kafka.environment(ADMIN, way)


def shown(deployment: Deployment, *arguments: str) -> str:
    """What the program prints, as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "worker", *arguments],
        env=os.environ | deployment.environment | {"BILLING_LOG__LEVEL": "debug"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout + done.stderr


def fetched(address: str) -> str:
    with urlopen(address, timeout=10) as response:  # noqa: S310
        return str(response.read().decode())


@pytest.mark.parametrize("way", WAYS)
async def test_a_worker_works_over_tls_and_tells_nobody_its_secrets(way: str, place: Place) -> None:
    deployment = place.deployment(reaching(place.kafka, way))
    with deployment.worker(LOG__LEVEL="debug") as worker:
        await asyncio.to_thread(worker.wait_ready, 120)
        await deployment.publish("acme", ready_account("acme", "main"))
        answers = await deployment.answers(120)
        seen = {
            "metrics": await asyncio.to_thread(fetched, f"{worker.address()}/metrics"),
            "readiness": json.dumps(worker.readiness()),
            "arguments": " ".join(psutil.Process(worker.pid).cmdline()),
            "plan": await asyncio.to_thread(shown, deployment, "topics", "plan"),
            "lanes": await asyncio.to_thread(shown, deployment, "lanes", "--json"),
            "help": await asyncio.to_thread(shown, deployment, "topics", "plan", "--help"),
            "log": worker.log.read_text(),
        }
    (answer,) = answers

    assert answer["type"] == "billing.command.accepted.v1"
    assert '"level": "debug"' in seen["log"]
    for where, text in seen.items():
        assert [secret for secret in SECRETS if secret in text] == [], where


@pytest.mark.parametrize("wrong", ["BILLING_KAFKA__PASSWORD", "BILLING_DATABASE__PASSWORD_FILE"])
async def test_a_worker_with_a_wrong_password_waits_and_says_what_to_do_without_naming_it(
    wrong: str, place: Place, tmp_path: Path
) -> None:
    other = tmp_path / "another-password"
    other.write_text("s3same-of-nobody\n")
    value = str(other) if wrong.endswith("_FILE") else "s3same-of-nobody"
    deployment = place.deployment(place.kafka.environment(ADMIN) | {wrong: value})

    with deployment.worker(LOG__LEVEL="debug") as worker:

        async def waits() -> bool:
            return bool(worker.said("waiting"))

        await until(waits, "the worker waits", 120)
        waiting = worker.said("waiting")
        is_ready, causes = worker.readiness()
        said = worker.log.read_text()

    assert not is_ready
    assert wrong.removesuffix("_FILE").rpartition("__")[0] in waiting[0]["cause"]
    assert wrong.partition("__")[0] in json.dumps(causes)
    assert "s3same-of-nobody" not in said
