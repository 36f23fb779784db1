"""What the pages tell people to type is typed, as it stands but for addresses, and prints what the pages show."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
import trustme
from sqlalchemy.engine import make_url

from tests.docs.blocks import Block, block_of, blocks_of
from tests.system.deployment import Deployment
from tests.system.provision import say, settings_of, unprepared
from tests.system.stacks import Addresses
from tests.tidy.tree import ROOT

WHOLE = ("docs/start.md", "docs/publishing.md", "docs/rules.md")
"""Pages whose every block is typed here, one after the other in one shell, beside a worker that runs."""

OPERATING = "docs/operating.md"
OURS = str(Path(sys.executable).parent)
SECONDS_MAX = 110
MARK = "--- the next block of the page"


async def typed(script: str, environment: dict[str, str], directory: Path) -> str:
    """What a shell prints, both on stdout and on stderr, that stops at the first command that goes wrong."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BILLING_")}
    done = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-euo", "pipefail", "-c", script],
        env=clean | environment | {"PATH": f"{OURS}:{os.environ['PATH']}", "COLUMNS": "200"},
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return str(done.stdout)


def shown(printed: str, block: Block) -> bool:
    """Whether the lines that the page shows were printed, in their order; `…` stands for anything."""
    lines = block.shows.splitlines()
    patterns = [".*".join(re.escape(part) for part in line.split("…")) for line in lines]
    return re.search("^" + r"$\n(?:.*\n)*?^".join(patterns) + "$", printed, re.MULTILINE) is not None


def executable(page: str) -> list[Block]:
    """The blocks of a page but those that start the servers or tell where they are."""
    return [block for block in blocks_of(ROOT / page) if block.commands and block.begins != "make run"]


@pytest.mark.parametrize("page", WHOLE)
async def test_what_a_page_says_can_be_typed_and_prints_what_it_shows(
    page: str, deployment: Deployment, tmp_path: Path
) -> None:
    blocks = executable(page)
    script = f"\necho '{MARK}'\n".join(block.commands for block in blocks)

    with deployment.worker() as worker:
        await asyncio.to_thread(worker.wait_ready)
        printed = (await typed(script, deployment.environment, tmp_path)).split(MARK)

    assert len(printed) == len(blocks)
    for block, lines in zip(blocks, printed, strict=True):
        assert shown(lines, block), f"{block.begins}\n{lines}"


async def test_an_installation_is_prepared_run_and_looked_at_as_the_page_says(
    stack: Addresses, deployment: Deployment, tmp_path: Path
) -> None:
    prepare, watch = block_of(OPERATING, "Prepare"), block_of(OPERATING, "Watch")
    ask = block_of(OPERATING, "Run", "curl")
    async with unprepared(stack, deployment) as prepared:
        environment = prepared.environment
        printed = await typed(prepare.commands, environment, tmp_path)
        assert prepared.settings.topics.commands in printed
        assert "kafka-acls" in printed
        assert block_of(OPERATING, "Run", "billing-worker run").commands == "billing-worker run"  # what follows does it
        with prepared.worker() as worker:
            await asyncio.to_thread(worker.wait_ready)
            address = worker.address().removeprefix("http://")
            assert "localhost:8080" in ask.commands
            said = await typed(ask.commands.replace("localhost:8080", address), environment, tmp_path)
            assert "billing_lane_state" in said
            await typed(watch.commands, environment, tmp_path)


async def test_the_owner_that_the_page_makes_may_migrate_and_needs_to_make_roles_for_it(
    stack: Addresses, deployment: Deployment, tmp_path: Path
) -> None:
    (block,) = blocks_of(ROOT / OPERATING, "sql")
    name = f"page_{uuid4().hex[:8]}"
    superuser = make_url(stack.database_url)
    page = block.text.replace("billing", name)
    owner = superuser.set(username=name, password="of the owner", database=name)  # noqa: S106
    role = owner.set(username=f"{name}_worker", password="of the worker")  # noqa: S106
    urls = {"OWNER_URL": owner, "URL": role}
    environment = deployment.environment | {
        f"BILLING_DATABASE__{setting}": url.render_as_string(hide_password=False) for setting, url in urls.items()
    }
    for statement in [f"{each};" for each in page.replace("\n", " ").split(";") if each.strip()]:
        await say(stack.database_url, statement)
    try:
        await say(stack.database_url, f"ALTER ROLE {name} NOCREATEROLE")
        refused = await typed("billing-worker migrate || true", environment, tmp_path)
        await say(stack.database_url, f"ALTER ROLE {name} CREATEROLE")
        migrated = await typed("billing-worker migrate", environment, tmp_path)
    finally:
        await say(stack.database_url, f"DROP DATABASE {name} WITH (FORCE)")
        await say(stack.database_url, f"DROP ROLE IF EXISTS {name}_worker")
        await say(stack.database_url, f"DROP ROLE {name}")

    assert "needs CREATEROLE" in refused
    assert f"{name}_worker" in migrated


async def test_a_newcomer_runs_the_tests_of_one_rule_as_the_page_says() -> None:
    block = block_of("CONTRIBUTING.md", "A first change", "pytest -q tests/domain")

    printed = await typed(block.commands.replace(".venv/bin/", ""), {}, ROOT)

    assert re.search(r"^[1-9][0-9]* passed", printed, re.MULTILINE), printed


@pytest.mark.parametrize(
    ("page", "head"),
    [
        (OPERATING, "Say where Kafka and PostgreSQL are"),
        ("docs/security.md", "Kafka"),
        ("docs/security.md", "PostgreSQL"),
    ],
)
def test_the_settings_that_a_page_shows_are_accepted(page: str, head: str, tmp_path: Path) -> None:
    said = dict(re.findall(r"^export (BILLING_\w+)=(\S+)", block_of(page, head).text, re.MULTILINE))
    assert len(said) > 2
    for file in {value for value in said.values() if value.startswith("/run/secrets/")}:
        here = tmp_path / Path(file).name
        here.write_text("secret\n")
        if here.suffix == ".pem":
            trustme.CA().cert_pem.write_to_path(here)
        said = {name: str(here) if value == file else value for name, value in said.items()}

    settings = settings_of(said)

    assert settings.allow_insecure is False
