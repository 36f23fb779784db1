"""The program against a running worker."""

import json

import pytest
from typer.testing import Result

from tests.cli.conftest import Program
from tests.system.deployment import Deployment

PROFILE = {"type": "card", "externalId": "pm_1", "status": "Valid"}
COMMANDS = [
    {"type": "account.create", "data": {"account": "main", "currency": "EUR", "paymentProfile": PROFILE}},
    {"type": "account.create", "data": {"account": "other", "currency": "EUR", "paymentProfile": PROFILE}},
    {"type": "project.bind", "data": {"project": "web", "account": "main"}},
    {"type": "project.bind", "data": {"project": "web", "account": "other"}},
    {"type": "project.bind", "data": {"project": "app", "account": "other"}},
]


def line(result: Result) -> dict[str, object]:
    """The only line of JSON that it printed."""
    assert result.exit_code == 0, result.output
    answer: dict[str, object] = json.loads(result.stdout)
    return answer


async def test_commands_are_answered_and_then_the_questions_about_them(
    program: Program, deployment: Deployment
) -> None:
    with deployment.worker() as worker:
        worker.wait_ready()
        written = "\n".join(json.dumps(command) for command in COMMANDS)
        published = await program("publish", "-", "--organization", "acme", "--wait", "--json", given=written)
        nobody = '{"project": "web", "account": "nobody"}'
        bind = ("publish", "--type", "project.bind", "--organization", "acme", "--wait", "--data")
        rejected = await program(*bind, nobody)
        evaluated = await program(*bind, '{"project": "new", "account": "main"}', "--dry-run", "--json")

    answers = [json.loads(each) for each in published.stdout.splitlines()]
    assert published.exit_code == 0
    assert [answer["outcome"] for answer in answers] == ["accepted"] * len(COMMANDS)
    assert rejected.exit_code == 1
    assert "ACCOUNT_NOT_FOUND" in rejected.stdout
    assert json.loads(evaluated.stdout)["wouldAccept"] is True

    bound_at, rebound_at = answers[2]["at"], answers[3]["at"]
    now = line(await program("payer", "acme", "web", "--json"))
    then = line(await program("payer", "acme", "web", "--json", "--at", bound_at))
    before = line(await program("payer", "acme", "web", "--json", "--at", "2020-01-01T01:00:00+01:00"))
    assert list(now) == [
        "organization",
        "project",
        "at",
        "account",
        "binding",
        "since",
        "until",
        "completeThrough",
        "final",
    ]
    assert (now["account"], now["since"], now["until"]) == ("other", rebound_at, None)
    assert (then["account"], then["since"], then["until"], then["final"]) == ("main", bound_at, rebound_at, True)
    assert (before["account"], before["binding"], before["final"]) == (None, None, True)
    assert before["at"] == "2020-01-01T00:00:00.000000Z"

    account = line(await program("account", "acme", "other", "--json"))
    assert (account["phase"], account["activeBindings"]) == ("Ready", 2)
    assert [phase["phase"] for phase in account["phases"]] == ["Provisioning", "Ready"]  # type: ignore[attr-defined]
    projects = await program("projects", "acme", "other", "--json")
    assert [json.loads(each)["project"] for each in projects.stdout.splitlines()] == ["app", "web"]
    earlier = line(await program("projects", "acme", "main", "--json", "--at", bound_at))
    assert (earlier["project"], earlier["until"]) == ("web", rebound_at)
    history = line(await program("history", "acme", "web", "--json"))
    assert [binding["account"] for binding in history["bindings"]] == ["main", "other"]  # type: ignore[attr-defined]
    lanes = [json.loads(each) for each in (await program("lanes", "--json")).stdout.splitlines()]
    assert sorted(lane["lane"] for lane in lanes) == [0, 1, 2]
    assert all(lane["stopped"] is None and lane["lag"] >= 0 for lane in lanes)

    assert "acme/other" in (await program("account", "acme", "other")).stdout
    assert "other" in (await program("history", "acme", "web")).stdout
    assert "app" in (await program("projects", "acme", "other")).stdout
    assert "other pays for web" in (await program("payer", "acme", "web")).stdout


@pytest.mark.parametrize(
    "arguments", [("account", "acme", "none"), ("projects", "acme", "none"), ("history", "acme", "none")]
)
async def test_what_is_not_there_is_said_to_be_missing(program: Program, arguments: tuple[str, ...]) -> None:
    result = await program(*arguments)

    assert result.exit_code == 1
    assert "none in organization acme" in result.stderr


async def test_nobody_pays_for_a_project_that_nobody_knows(program: Program) -> None:
    answer = line(await program("payer", "acme", "web", "--json"))

    assert (answer["account"], answer["completeThrough"], answer["final"]) == (None, None, False)


async def test_before_the_first_worker_there_are_no_lanes(program: Program) -> None:
    result = await program("lanes")

    assert result.exit_code == 0
    assert result.stdout == ""
    assert "billing-worker run" in result.stderr
