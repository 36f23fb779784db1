"""What a newcomer gets from compose.yaml: `up`, and two workers that share the work and stand in for each other."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from tests.containers.project import COMMAND_SECONDS_MAX, WORKERS, Project, reason_to_skip, running_project

ONE_SHOTS = ("migrate", "topics")
ORGANIZATIONS = [f"org-{number}" for number in range(36)]  # some in every partition

pytestmark = pytest.mark.timeout(1_200)  # the first builds the image


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    if reason := reason_to_skip():
        pytest.skip(reason)
    with running_project() as running:
        yield running


def account(organization: str, name: str) -> dict[str, object]:
    profile = {"type": "card", "externalId": f"pm-{name}", "status": "Valid"}
    data = {"account": name, "currency": "EUR", "paymentProfile": profile}
    return {"type": "account.create", "organization": organization, "data": data}


def bind(organization: str, project: str, to: str) -> dict[str, object]:
    return {"type": "project.bind", "organization": organization, "data": {"project": project, "account": to}}


def test_database_and_topics_are_made_before_the_workers_start(project: Project) -> None:
    for service in ONE_SHOTS:
        assert (project.state(service)["Status"], project.state(service)["ExitCode"]) == ("exited", 0)
    made = max(project.state(service)["FinishedAt"] for service in ONE_SHOTS)
    assert all(project.state(worker)["StartedAt"] > made for worker in WORKERS)


def test_a_command_published_in_one_container_is_answered_and_seen_from_the_other(project: Project) -> None:
    outcomes = project.publish("worker-1", account("acme", "main"), bind("acme", "web", to="main"))

    assert outcomes == ["accepted", "accepted"]
    assert project.payer("worker-2", "acme", "web") == "main"


def test_the_program_on_the_host_reaches_kafka_and_postgres_by_their_published_ports(project: Project) -> None:
    lines = [account("host", "main"), bind("host", "web", to="main")]

    _on_the_host(project, "publish", "-", "--wait", said="".join(json.dumps(line) + "\n" for line in lines))

    assert json.loads(_on_the_host(project, "payer", "host", "web", "--json"))["account"] == "main"


@pytest.mark.parametrize("rewriting", ["UPDATE bindings SET account = 'x'", "DELETE FROM journal", "TRUNCATE accounts"])
async def test_the_workers_role_cannot_rewrite_history(project: Project, rewriting: str) -> None:
    engine = create_async_engine(project.settings_on_the_host()["BILLING_DATABASE__URL"])
    try:
        async with engine.connect() as connection:
            with pytest.raises(DBAPIError, match="permission denied"):
                await connection.execute(text(rewriting))
    finally:
        await engine.dispose()


def test_both_workers_are_healthy_and_not_root(project: Project) -> None:
    for worker in WORKERS:
        project.wait_healthy(worker)
        assert project.compose("exec", "-T", worker, "id", "-u").strip() == "10001"


def test_starting_again_keeps_what_there_is(project: Project) -> None:
    project.publish("worker-1", account("kept", "main"), bind("kept", "web", to="main"))

    project.compose("down")
    project.start()

    assert project.payer("worker-2", "kept", "web") == "main"


def test_a_worker_whose_container_is_killed_is_replaced_by_the_other(project: Project) -> None:
    project.publish("worker-1", *(account(organization, "main") for organization in ORGANIZATIONS))

    project.compose("kill", "worker-1")
    outcomes = project.publish("worker-2", *(bind(organization, "web", to="main") for organization in ORGANIZATIONS))

    assert outcomes == ["accepted"] * len(ORGANIZATIONS)
    assert {project.payer("worker-2", organization, "web") for organization in ORGANIZATIONS[:4]} == {"main"}
    project.compose("up", "-d", "worker-1")
    project.wait_ready("worker-1")


def _on_the_host(project: Project, *arguments: str, said: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-m", "worker", *arguments],
        env=os.environ | project.settings_on_the_host(),
        input=said,
        stdout=subprocess.PIPE,
        text=True,
        timeout=COMMAND_SECONDS_MAX,
        check=True,
    )
    return done.stdout
