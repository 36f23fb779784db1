"""The README's own blocks, executed as they stand but for addresses and names of topics."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.system.deployment import Deployment, command, ready_account
from tests.system.provision import settings_of, unprepared
from tests.system.stacks import Addresses

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
OURS = str(Path(sys.executable).parent)


def block(language: str, containing: str) -> str:
    """The one block of code of a language that contains some words."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    (found,) = [text for text in blocks if containing in text]
    return str(found)


def without(lines: str, *beginnings: str) -> str:
    """The lines but those that begin so; each of them must be there."""
    kept = lines.splitlines()
    for beginning in beginnings:
        left = [line for line in kept if not line.startswith(beginning)]
        assert len(left) < len(kept), f"the README has no line that begins with {beginning}"
        kept = left
    return "\n".join(kept)


async def execute(script: str, environment: dict[str, str]) -> str:
    """What a shell prints that stops at the first command that goes wrong."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BILLING_")}
    path = {"PATH": f"{OURS}:{os.environ['PATH']}"}
    done = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-euo", "pipefail", "-c", script],
        env=clean | environment | path,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


async def test_the_first_own_commands_go_as_the_readme_says(deployment: Deployment) -> None:
    script = without(block("sh", "billing-worker publish"), "set -a; . .billing/billing.env")
    with deployment.worker() as worker:
        await asyncio.to_thread(worker.wait_ready)
        said = await execute(script, deployment.environment)

    assert "main pays for web at " in said
    assert [line for line in said.splitlines() if "binding.established" in line]
    assert len(await deployment.messages("command_results")) == 2
    *_, payer = await deployment.messages("payers")
    assert payer["data"]["payer"]["account"] == "main"


async def test_the_subscriber_in_the_readme_sees_the_events(deployment: Deployment) -> None:
    program = block("python", "AIOKafkaConsumer")
    for here, there in {
        "billing.binding-events": deployment.settings.topics.binding_events,
        "localhost:9092": deployment.settings.kafka.bootstrap_servers,
    }.items():
        assert here in program
        program = program.replace(here, there)
    bind = command("acme", "project.bind", "bind", project="web", account="main")
    await deployment.publish("acme", ready_account("acme", "main"), bind)
    with deployment.worker():
        await deployment.answers()
    expected = await deployment.messages("binding_events")

    subscriber = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-c", program, stdout=asyncio.subprocess.PIPE
    )
    assert subscriber.stdout
    async with asyncio.timeout(30):
        seen = [(await subscriber.stdout.readline()).decode().split(" ", 4)[:4] for _ in expected]
    subscriber.kill()
    await subscriber.communicate()

    assert seen == [[event["time"], event["subject"], str(event["sequence"]), event["type"]] for event in expected]


async def test_an_own_kafka_and_postgresql_are_prepared_as_the_readme_says(
    stack: Addresses, deployment: Deployment
) -> None:
    script = block("sh", "billing-worker migrate")
    said = dict(re.findall(r"^export (BILLING_\w+)=(\S+)", script, re.MULTILINE))
    assert settings_of(said).database.owner_url == said["BILLING_DATABASE__OWNER_URL"]
    script = without(script, "pip install", "export BILLING_", "billing-worker run")
    async with unprepared(stack, deployment) as prepared:
        await execute(script, prepared.environment)
        with prepared.worker() as worker:
            await asyncio.to_thread(worker.wait_ready)
            await prepared.publish("acme", ready_account("acme", "main"))
            assert len(await prepared.answers()) == 1
