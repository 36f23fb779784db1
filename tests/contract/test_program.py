"""The program's answers beside a running worker, instant by instant."""

import asyncio
import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from typing import Any

from typer.testing import CliRunner, Result

from tests.contract.cases import ACTIVATED, MOVED, NOBODY, VALID, Seen, Told, bind, case, do, ready
from worker.cli.program import app

SETTLE_SECONDS = 1
KEYS = ["organization", "project", "at", "account", "binding", "since", "until", "completeThrough", "final"]
ORGANIZATION = "a-project-is-paid-by-one-and-then-by-another-and-then-by-nob"


async def program(told: Told, *arguments: str) -> Result:
    runner = CliRunner(env=dict(told.deployment.environment))
    return await asyncio.to_thread(runner.invoke, app, arguments)


async def payer(
    told: Told, project: str, instant: str | None = None, organization: str = ORGANIZATION
) -> dict[str, Any]:
    when = ("--at", instant) if instant else ()
    done = await program(told, "payer", organization, project, "--json", *when)
    assert done.exit_code == 0, done.output
    answer: dict[str, Any] = json.loads(done.stdout)
    assert list(answer) == KEYS
    return answer


def moved(instant: str, microseconds: int) -> str:
    return (datetime.fromisoformat(instant) + timedelta(microseconds=microseconds)).isoformat(timespec="microseconds")


@case(
    do("account.create", ACTIVATED, account="a", currency="EUR", paymentProfile=VALID),
    ready("b", "USD"),
    bind(),
    bind(account="b", expect=MOVED),
    do("project.unbind", NOBODY, project="p"),
    bind("q", "b"),
)
def test_a_project_is_paid_by_one_and_then_by_another_and_then_by_nobody(seen: Seen) -> None:
    assert seen.organization == ORGANIZATION
    assert seen.state("p")["payer"] is None


async def test_the_payer_at_every_boundary_is_the_one_whose_binding_begins_there(told: Told) -> None:
    times = [result["time"] for result in told.seen[ORGANIZATION].results]
    bound, rebound, unbound = times[2:5]
    first, second = (each["binding"] for each in told.seen[ORGANIZATION].of("established", "p"))
    asked = [
        moved(bound, -1),
        bound,
        moved(rebound, -1),
        rebound,
        moved(unbound, -1),
        unbound,
        "2001-01-01T01:00:00+01:00",
    ]
    answers = [await payer(told, "p", instant) for instant in asked]
    assert [(each["account"], each["binding"], each["since"], each["until"]) for each in answers] == [
        (None, None, None, None) if answers[0]["until"] is None else (None, None, None, bound),
        ("a", first, bound, rebound),
        ("a", first, bound, rebound),
        ("b", second, rebound, unbound),
        ("b", second, rebound, unbound),
        (None, None, None, None) if answers[5]["since"] is None else (None, None, unbound, None),
        (None, None, None, None) if answers[6]["until"] is None else (None, None, None, bound),
    ]
    assert [each["final"] for each in answers] == [True] * 7
    assert answers[1]["at"] == bound
    assert answers[6]["at"] == "2001-01-01T00:00:00.000000Z"
    assert all(each["completeThrough"] >= unbound for each in answers)


async def test_the_payer_now_in_the_future_and_of_what_nobody_knows(told: Told) -> None:
    since = told.seen[ORGANIZATION].one("established", "q")["since"]
    now, future, unknown, stranger = [
        await payer(told, "q"),
        await payer(told, "q", "2090-01-01T00:00:00Z"),
        await payer(told, "unknown"),
        await payer(told, "q", organization="stranger"),
    ]
    assert (now["account"], now["since"], now["until"]) == ("b", since, None)
    assert now["organization"] == ORGANIZATION
    assert (future["account"], future["at"], future["final"]) == ("b", "2090-01-01T00:00:00.000000Z", False)
    assert (unknown["account"], unknown["binding"], unknown["since"]) == (None, None, None)
    assert stranger["account"] is None


async def test_history_projects_and_account_say_it_for_programs(told: Told) -> None:
    history, projects, account, nobody, wrong, bad_instant = [
        await program(told, "history", ORGANIZATION, "p", "--json"),
        await program(told, "projects", ORGANIZATION, "b", "--json"),
        await program(told, "account", ORGANIZATION, "b", "--json"),
        await program(told, "account", ORGANIZATION, "nobody", "--json"),
        await program(told, "payer", ORGANIZATION),
        await program(told, "payer", ORGANIZATION, "p", "--at", "yesterday"),
    ]
    assert [each.exit_code for each in (history, projects, account, nobody)] == [0, 0, 0, 1]
    assert (wrong.exit_code, bad_instant.exit_code) == (2, 2)
    bindings = json.loads(history.stdout)["bindings"]
    assert [(each["account"], each["reason"]) for each in bindings] == [("a", "SUPERSEDED"), ("b", "UNBOUND")]
    assert [json.loads(line)["project"] for line in projects.stdout.splitlines()] == ["q"]
    state = json.loads(account.stdout)
    assert (state["account"], state["phase"], state["currency"]) == ("b", "Ready", "USD")
    assert nobody.stdout == ""


async def test_an_unknown_setting_refuses_to_start(told: Told) -> None:
    environment = os.environ | told.deployment.environment | {"BILLING_RULES__PAYMENT_PROFILE_NEEDED": "true"}
    command = [sys.executable, "-m", "worker", "run"]
    done = await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode in {1, 2}
    assert "BILLING_RULES__PAYMENT_PROFILE_NEEDED" in done.stderr
