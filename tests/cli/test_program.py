import socket
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module

import pytest
import typer
from typer.testing import CliRunner

from worker.cli.program import COMMANDS, app

Run = Callable[..., "subprocess.CompletedProcess[str]"]

OURS = sorted(set(COMMANDS) - {"dev"})


@pytest.mark.parametrize("name", OURS)
def test_every_command_explains_itself_with_an_example(name: str) -> None:
    result = CliRunner().invoke(app, [name, "--help"])

    assert result.exit_code == 0
    assert f"billing-worker {name}" in result.stdout.partition("or example")[2]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_overview_says_of_a_command_what_its_own_help_begins_with(name: str) -> None:
    entry = COMMANDS[name]
    found = getattr(import_module(entry.module), entry.attribute)

    said = found.info.help if isinstance(found, typer.Typer) else found.__doc__

    assert str(said).partition("\n")[0] == entry.sentence


def test_help_needs_no_client_of_anything() -> None:
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from worker.cli.program import app\n"
        "CliRunner().invoke(app, ['payer', '--help'])\n"
        "print(*({'aiokafka', 'pydantic_settings', 'sqlalchemy', 'worker.settings'} & set(sys.modules)))"
    )

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert loaded.stdout.split() == []


def test_it_knows_its_version(run: Run) -> None:
    result = run("--version")

    assert result.returncode == 0
    assert result.stdout.startswith("billing-worker 0.")


def test_wrong_settings_are_all_named_without_their_values(run: Run) -> None:
    result = run("lanes", TOPICS__PARTITIONS="secret", KAFKA__BOTSTRAP="secret")

    assert result.returncode == 2
    assert "BILLING_KAFKA__BOTSTRAP is not a setting" in result.stderr
    assert "BILLING_TOPICS__PARTITIONS" in result.stderr
    assert "secret" not in result.stderr + result.stdout
    assert "Traceback" not in result.stderr


def test_help_works_with_wrong_settings(run: Run) -> None:
    assert run("migrate", "--help", TOPICS__PARTITIONS="none").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "setting", "value"),
    [
        (("topics", "plan"), "KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:{port}"),
        (("watch",), "KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:{port}"),
        (("payer", "acme", "web"), "DATABASE__URL", "postgresql+asyncpg://someone:hidden@127.0.0.1:{port}/billing"),
        (("migrate",), "DATABASE__URL", "postgresql+asyncpg://someone:hidden@127.0.0.1:{port}/billing"),
    ],
)
def test_what_cannot_be_reached_is_named_with_its_address(
    run: Run, arguments: tuple[str, ...], setting: str, value: str
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        result = run(*arguments, **{setting: value.format(port=port)})

    assert result.returncode == 1
    first, second = result.stderr.splitlines()
    assert f"127.0.0.1:{port}" in first
    assert f"BILLING_{setting}" in second
    assert "hidden" not in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["payer", "acme"],
        ["payer", "acme", "Web"],
        ["payer", "acme", "web", "--at", "2026-11-01T00:00:00"],
        ["payer", "acme", "web", "--at", "yesterday"],
        ["publish"],
        ["publish", "-", "--type", "project.bind"],
        ["publish", "-", "--raw"],
        ["publish", "-", "--key", "acme"],
        ["publish", "no-such-file"],
        ["publish", "--type", "project.bind", "--data", "{"],
        ["watch", "--topics", "gossip"],
        ["watch", "--from-beginning", "--since", "2026-11-01T00:00:00Z"],
        ["schemas", "project.bind", "--asyncapi"],
        ["nonsense"],
    ],
)
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2
