import json
from uuid import uuid4

from sqlalchemy import make_url

from tests.cli.conftest import Program
from tests.system.deployment import Deployment
from tests.system.stacks import Addresses


async def test_topics_that_are_as_they_should_be_are_left_alone(program: Program) -> None:
    planned = await program("topics", "plan", "--json")
    applied = await program("topics", "apply", "--json")

    assert (planned.exit_code, applied.exit_code) == (0, 0)
    plan = json.loads(planned.stdout)
    assert len(plan.pop("acls")) == 8
    assert plan == json.loads(applied.stdout)
    assert plan["changes"] is False
    assert applied.stderr == ""


async def test_a_plan_tells_what_is_to_do_and_does_nothing(program: Program) -> None:
    changed = {"TOPICS__COMMANDS_RETENTION_DAYS": "7", "TOPICS__PAYERS": f"other-{uuid4().hex}"}

    first = await program("topics", "plan", "--json", **changed)
    second = await program("topics", "plan", "--json", **changed)

    plan = json.loads(first.stdout)
    assert plan == json.loads(second.stdout)
    assert first.exit_code == 0
    assert plan["changes"] is True
    assert plan["topics"][0]["settings"] == {"retention.ms": {"present": "2592000000", "wanted": "604800000"}}
    assert [topic["missing"] for topic in plan["topics"]] == [False] * 5 + [True] + [False] * 2


async def test_another_number_of_partitions_is_a_problem_that_apply_does_not_mend(program: Program) -> None:
    result = await program("topics", "apply", "--json", TOPICS__PARTITIONS="5")

    assert result.exit_code == 1
    assert all("has 3 partitions" in topic["problems"][0] for topic in json.loads(result.stdout)["topics"])


async def test_migrate_does_nothing_the_second_time(program: Program, deployment: Deployment) -> None:
    (installed,) = await deployment.rows("SELECT id::text FROM installation")

    result = await program("migrate", "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["installation"] == installed.id
    assert json.loads(result.stdout)["role"] is None
    assert result.stderr == ""


async def test_migrate_as_the_owner_lets_the_workers_role_in(stack: Addresses, database_url: str) -> None:
    role = f"worker_{uuid4().hex[:8]}"
    owner = make_url(database_url)
    url = owner.set(username=role, password="its own").render_as_string(hide_password=False)  # noqa: S106
    program = Program({"BILLING_DATABASE__URL": url, "BILLING_DATABASE__OWNER_URL": database_url})

    migrated = await program("migrate", "--json")
    again = await program("migrate")
    asked = await program("payer", "acme", "web")

    assert json.loads(migrated.stdout)["role"] == role
    assert (migrated.exit_code, again.exit_code, asked.exit_code) == (0, 0, 0)
    assert "its own" not in migrated.output + again.output


async def test_a_database_without_tables_is_told_what_to_do(stack: Addresses) -> None:
    result = await Program({"BILLING_DATABASE__URL": stack.database_url})("payer", "acme", "web")

    assert result.exit_code == 1
    assert "billing-worker migrate" in result.stderr
