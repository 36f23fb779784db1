import os
from pathlib import Path

import psutil
import pytest

from tests.embedded.conversation import ask, publish, published
from worker.embedded import EmbeddedError, Stack


async def test_a_real_kafka_and_a_real_postgresql_answer(stack: Stack) -> None:
    await publish(stack.kafka, b"hello")

    assert await published(stack.kafka) == [b"hello"]
    assert str(await ask(stack.postgres, "SELECT version()")).startswith("PostgreSQL 18.")


async def test_a_commit_is_on_disk_before_it_is_acknowledged(stack: Stack) -> None:
    assert await ask(stack.postgres, "SHOW fsync") == "on"
    assert await ask(stack.postgres, "SHOW synchronous_commit") == "on"


async def test_a_database_is_made_from_a_template(stack: Stack) -> None:
    await ask(stack.postgres, "CREATE TABLE payer AS SELECT 42 AS account")

    url = await stack.postgres.create_database("copy", template="billing")

    assert url.endswith(f"@127.0.0.1:{stack.postgres.port}/copy")
    assert await ask(stack.postgres, "SELECT account FROM payer", database="copy") == 42
    await stack.postgres.drop_database("copy")


def test_only_this_machine_can_reach_the_servers(stack: Stack) -> None:
    listening = {
        connection.laddr.ip.removeprefix("::ffff:")
        for pid in (stack.kafka.pid, stack.postgres.pid)
        for connection in psutil.Process(pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    }

    assert listening == {"127.0.0.1"}


def test_ctrl_c_in_the_terminal_is_not_for_the_servers(stack: Stack) -> None:
    assert os.getsid(0) not in {os.getsid(stack.kafka.pid), os.getsid(stack.postgres.pid)}


async def test_two_stacks_run_side_by_side(stack: Stack, tmp_path: Path) -> None:
    with Stack(tmp_path) as other:
        await publish(other.kafka, b"not for the neighbour")
        await ask(other.postgres, "CREATE TABLE not_for_the_neighbour ()")

        assert b"not for the neighbour" not in await published(stack.kafka)
        assert await ask(stack.postgres, "SELECT to_regclass('not_for_the_neighbour')") is None


def test_a_directory_serves_one_starter_at_a_time(stack: Stack) -> None:
    directory = stack.kafka.directory

    with pytest.raises(EmbeddedError, match=f"{directory} is in use by process {os.getpid()}"):
        Stack(directory.parent).start()

    assert stack.kafka.running


async def test_data_is_kept_between_runs_until_it_is_to_be_fresh(tmp_path: Path) -> None:
    with Stack(tmp_path) as first:
        addresses = first.addresses
        await publish(first.kafka, b"kept")
        await ask(first.postgres, "CREATE TABLE kept ()")

    second = Stack(tmp_path)
    assert second.start() == addresses
    assert await published(second.kafka) == [b"kept"]
    assert await ask(second.postgres, "SELECT to_regclass('kept')::text") == "kept"
    second.stop()

    second.start(fresh=True)
    assert await published(second.kafka) == []
    assert await ask(second.postgres, "SELECT to_regclass('kept')") is None
    second.stop()


def test_a_start_that_fails_tells_why_and_leaves_nothing_running(tmp_path: Path) -> None:
    stack = Stack(tmp_path, postgres_settings={"shared_buffers": "plenty"})

    with pytest.raises(EmbeddedError, match=r'(?s)PostgreSQL ended while .*"plenty".*start afresh'):
        stack.start()

    assert not stack.kafka.running
    assert not stack.postgres.running
