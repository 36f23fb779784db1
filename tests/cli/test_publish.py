import json
from pathlib import Path

from tests.cli.conftest import Program
from tests.system.deployment import Deployment
from worker.wire.partitions import partition_of

BIND = {"type": "project.bind", "organization": "acme", "data": {"project": "web", "account": "main"}}


def lines(*commands: object) -> str:
    return "".join(json.dumps(command) + "\n" for command in commands)


async def test_commands_lie_where_their_organizations_live_in_the_order_of_the_file(
    program: Program, deployment: Deployment, tmp_path: Path
) -> None:
    file = tmp_path / "commands.jsonl"
    file.write_text(lines(*(BIND | {"organization": f"org-{n % 7}", "id": f"{n}"} for n in range(2_500))))

    result = await program("publish", str(file), "--json")

    published = await deployment.read("commands")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["published"] == len(published) == 2_500
    for organization in (f"org-{n}" for n in range(7)):
        own = [record for record in published if record.key == organization.encode()]
        ids = [int(json.loads(record.value)["id"]) for record in own]
        assert ids == sorted(ids)
        assert {record.partition for record in own} == {partition_of(organization, 3)}


async def test_one_command_needs_no_file(program: Program, deployment: Deployment) -> None:
    data = json.dumps(BIND["data"])
    result = await program(
        "publish", "--type", "project.bind", "--organization", "acme", "--data", data, "--actor", "me", "--id", "one"
    )

    (record,) = await deployment.read("commands")
    assert result.exit_code == 0
    assert record.headers == (("content-type", b"application/cloudevents+json"),)
    assert json.loads(record.value) == {
        "specversion": "1.0",
        "id": "one",
        "source": "billing-worker-cli",
        "type": "billing.project.bind.v1",
        "organization": "acme",
        "actor": "me",
        "data": BIND["data"],
    }


async def test_one_bad_line_and_nothing_is_sent(program: Program, deployment: Deployment) -> None:
    result = await program("publish", "-", given=lines(BIND) + "nonsense\n" + lines(BIND))

    assert result.exit_code == 1
    assert "line 2: " in result.stderr
    assert "Nothing was published." in result.stderr
    assert await deployment.read("commands") == []


async def test_without_a_check_lines_before_a_bad_one_are_sent_and_counted(
    program: Program, deployment: Deployment
) -> None:
    result = await program("publish", "-", "--no-check", given=lines(BIND) + "nonsense\n" + lines(BIND))

    assert result.exit_code == 1
    assert "line 2: " in result.stderr
    assert "1 commands before it were published." in result.stderr
    assert len(await deployment.read("commands")) == 1


async def test_raw_lines_go_out_as_they_are(program: Program, deployment: Deployment) -> None:
    result = await program("publish", "-", "--raw", "--key", "acme", given=b"nonsense\n\xff\x00\n")

    published = await deployment.read("commands")
    assert result.exit_code == 0
    assert [record.value for record in published] == [b"nonsense", b"\xff\x00"]
    assert {(record.key, record.headers) for record in published} == {(b"acme", ())}


async def test_a_rate_is_kept(program: Program) -> None:
    result = await program("publish", "-", "--rate", "50", "--json", given=lines(*[BIND] * 25))

    assert 0.4 < json.loads(result.stdout)["seconds"] < 2


async def test_commands_are_published_while_the_database_is_away(program: Program, deployment: Deployment) -> None:
    away = "postgresql+asyncpg://billing@127.0.0.1:1/billing"
    result = await program("publish", "-", given=lines(BIND), DATABASE__URL=away)

    assert result.exit_code == 0
    assert "127.0.0.1:1/billing" in result.stderr
    assert len(await deployment.read("commands")) == 1


async def test_organizations_live_where_the_installation_declared_not_where_the_settings_say(
    program: Program, deployment: Deployment
) -> None:
    async with deployment.engine() as engine, engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE installation SET commands_topic = 'c', partitions = 2")

    await program("publish", "-", given=lines(*(BIND | {"organization": f"org-{n}"} for n in range(20))))

    for record in await deployment.read("commands"):
        assert record.partition == partition_of(record.key.decode(), 2)


async def test_a_missing_topic_is_told_with_what_makes_it(program: Program) -> None:
    result = await program("publish", "-", given=lines(BIND), TOPICS__COMMANDS="nowhere")

    assert result.exit_code == 1
    assert "There is no topic nowhere" in result.stderr
    assert "topics apply" in result.stderr


async def test_silence_is_not_taken_for_an_answer(program: Program) -> None:
    result = await program("publish", "-", "--wait", "--wait-seconds", "0.5", given=lines(BIND))

    assert result.exit_code == 1
    assert "1 without an answer" in result.stderr
