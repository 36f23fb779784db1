"""What operators can still do once there were cut-overs: two, to numbers that send organizations to and fro."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import text

from examples.attribute_usage import arguments, facts_into, load
from schemas.subscriber import Payer
from tests.faults.kafka.trial import end, ready, says_why
from tests.recovery.lanes import on_database
from tests.recovery.programs import program
from tests.recovery.standing import differences, rows_of
from tests.recovery.test_old_backups import backup
from tests.recovery.verified import findings, refuted, unguarded
from tests.system.deployment import Deployment, command, ready_account
from tests.system.provision import PARTITIONS, own_database, own_deployment
from tests.system.settling import until
from tests.system.stacks import Addresses
from tests.system.traffic import traffic
from worker.recovery.progress import Bar, Pace
from worker.recovery.replay.comparing import differences as replay_differences
from worker.recovery.replay.scope import Scope
from worker.recovery.replay.scratch import scratch
from worker.wire.partitions import partition_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

COUNTS = (PARTITIONS, 5, 7)
ORGANIZATIONS = tuple(f"org-{number}" for number in range(14))
SECONDS_MAX = 240
OUTPUTS = ("account_events", "binding_events", "command_results", "accounts", "payers", "dead_letters")
RULES = {"RULES__SUSPENSION_NOTICE_SECONDS": "0", "LANES__TICK_SECONDS": "0.5"}


def homes(organization: str) -> list[int]:
    """Where it lived at first, after the first cut-over, and lives after the second."""
    return [partition_of(organization, count) for count in COUNTS]


TRAVELLER = next(name for name in ORGANIZATIONS if len(set(homes(name))) == len(COUNTS))
BACKWARDS = next(name for name in ORGANIZATIONS if homes(name)[1] < homes(name)[0])
"""It moved to a lane with a lower number, whose later commands hang on the earlier ones of a higher lane."""


@dataclass(frozen=True)
class Cut:
    """A deployment after both, and its database as it was before the first and the second."""

    deployment: Deployment
    backups: tuple[str, str]


def era(seed: int) -> list[tuple[str, bytes]]:
    """Commands of all organizations; the accounts before the first of them."""
    begin = [(name, ready_account(name, "main")) for name in ORGANIZATIONS] if seed == 0 else []
    binds = [
        (name, command(name, "project.bind", f"bind-{seed}", project=f"p-{seed}", account="main"))
        for name in ORGANIZATIONS
    ]
    return [*begin, *binds, *traffic(seed, ORGANIZATIONS, 200)]


async def lives_on(deployment: Deployment, seed: int) -> None:
    """An era of commands, one of them where its organization lives only after the next cut-over; nobody is left."""
    with deployment.worker(**RULES) as worker:
        await ready(worker)
        await deployment.publish_many(era(seed))
        early = command(BACKWARDS, "project.register", f"early-{seed}", project="early")
        await deployment.publish(BACKWARDS, early, partition=homes(BACKWARDS)[1])
        await deployment.answers(SECONDS_MAX)
        await ready(worker)
        await end(worker)


def cut_over(count: int) -> tuple[str, ...]:
    return ("topics", "cut-over", "--partitions", str(count), "--watch-seconds", "1", "--yes")


@pytest.fixture(scope="module")
async def cut(stack: Addresses, migrated: str) -> AsyncIterator[Cut]:
    async with own_database(stack, migrated) as url, own_deployment(stack, url) as deployment:
        await lives_on(deployment, 0)
        async with backup(stack, deployment) as first:
            await program(deployment, *cut_over(COUNTS[1]))
            await lives_on(deployment, 1)
            async with backup(stack, deployment) as second:
                await program(deployment, *cut_over(COUNTS[2]))
                await lives_on(deployment, 2)
                yield Cut(deployment, (first, second))


async def published(deployment: Deployment) -> list[int]:
    """How much there is in each topic."""
    return [len(await deployment.read(topic)) for topic in (*OUTPUTS, "horizons")]


def on(deployment: Deployment, url: str) -> Deployment:
    """The same topics beside another database."""
    environment = deployment.environment | {"BILLING_DATABASE__URL": url}
    return Deployment(on_database(deployment, url), environment, deployment.sent)


async def test_verify_looks_at_an_organization_in_every_lane_that_it_lived_in(cut: Cut) -> None:
    places = "records_say_where_they_belong"
    is_his = "convert_from(key, 'UTF8') ~ ('^' || :name || '(/|$)')"
    broken = text(f"UPDATE journal SET at = at + interval '1 s' WHERE lane = :lane AND {is_his}")  # noqa: S608
    forgotten = text("DELETE FROM inbox WHERE organization = :name AND command_id = 'bind-0'")
    async with cut.deployment.engine() as engine:
        for lane in homes(TRAVELLER):
            async with unguarded(engine) as connection:
                assert await refuted(connection, organization=TRAVELLER) == {}
                changed = await connection.execute(broken, {"lane": lane, "name": TRAVELLER})
                assert changed.rowcount > 0
                assert places in await refuted(connection, organization=TRAVELLER)
        async with unguarded(engine) as connection:
            assert (await connection.execute(forgotten, {"name": TRAVELLER})).rowcount == 1
            assert "results_are_remembered" in await refuted(connection, organization=TRAVELLER)
        async with unguarded(engine) as connection:
            looked_at = (await findings(connection, organization=TRAVELLER))[places].looked_at
            rows = await connection.execute(text("SELECT lane, count(*) FROM journal GROUP BY lane"))
            by_lane = {row[0]: row[1] for row in rows}
    assert looked_at == sum(by_lane[lane] for lane in homes(TRAVELLER)) < sum(by_lane.values())
    await program(cut.deployment, "verify", "--topics")


async def test_a_scratch_replay_decides_by_the_number_that_held_and_moves_who_moved(cut: Cut) -> None:
    whole = json.loads((await program(cut.deployment, "replay", "--scratch", "--compare", "--json")).stdout)
    lane = homes(BACKWARDS)[1]
    one = await program(cut.deployment, "replay", "--scratch", "--compare", "--lane", str(lane), "--json")
    answers = await cut.deployment.messages("command_results")
    reasons = {
        (answer["organization"], answer["data"]["command"]): [each["code"] for each in answer["data"]["reasons"]]
        for answer in answers
        if answer["data"].get("reasons")
    }

    assert whole["differences"] == {}
    assert whole["compared"] >= len(answers)
    told = json.loads(one.stdout)
    assert told["differences"] == {}
    assert 0 < told["compared"] < whole["compared"]
    assert reasons[BACKWARDS, "early-0"] == ["WRONG_PARTITION"]
    assert (BACKWARDS, "early-1") not in reasons


class Interrupted(Exception):  # noqa: N818 - by the test
    pass


class Breaking(Bar):
    """Breaks the run off as soon as anything is decided."""

    def advance(self, count: int = 1) -> None:
        super().advance(count)
        raise Interrupted


async def test_a_scratch_replay_goes_on_behind_the_cut_overs_that_it_had_passed(cut: Cut) -> None:
    settings, passed, is_over = cut.deployment.settings, [], False
    while not is_over:
        with suppress(Interrupted):
            async with scratch(settings, Scope(), lambda _: None, with_rules_of_now=False, is_kept=False) as found:
                passed.append(found.passed)
                bar = Breaking(found.total)
                await found.decide(bar, Pace(None))
                compared = Counter[str]()
                differing = [each.as_json() async for each in replay_differences(found, compared)]
                is_over = True

    assert (bar.total, bar.count) == (0, 0)
    assert passed == [None, *sorted(each for each in passed if each is not None)]
    assert {0, 1, 2} <= set(passed)
    assert differing == []
    assert compared["commands"] > 3 * len(ORGANIZATIONS)


async def has_noted_all(deployment: Deployment) -> bool:
    return not await deployment.rows("SELECT 1 FROM lanes WHERE stopped IS NULL")


@pytest.mark.parametrize("which", [0, 1])
async def test_a_backup_from_before_a_cut_over_stops_every_lane_and_nothing_is_published(cut: Cut, which: int) -> None:
    older, before = on(cut.deployment, cut.backups[which]), await published(cut.deployment)
    stood = await older.rows("SELECT partition, epoch, next_offset FROM lanes ORDER BY partition")
    why = f"a cut-over to {COUNTS[2]} partitions, and this database declares {COUNTS[which]}: is it a backup"

    with older.worker(**RULES) as worker:
        await says_why(worker, why, lanes=COUNTS[2])
        await until(lambda: has_noted_all(older), "every lane's row says why", SECONDS_MAX)
        await end(worker)

    shown = [json.loads(line) for line in (await program(older, "lanes", "--json")).stdout.splitlines()]
    assert [why in lane["stopped"] for lane in shown] == [True] * COUNTS[which]
    assert await older.rows("SELECT partition, epoch, next_offset FROM lanes ORDER BY partition") == stood
    assert await published(cut.deployment) == before
    for word in ("--publish-again", "--skip-to-start"):
        refused = await program(
            older, "topics", "declare", "--all", word, "--watch-seconds", "0", "--yes", "--json", exits=1
        )
        assert len(json.loads(refused.stdout)["obstacles"]) == COUNTS[which]
    again = await program(older, *cut_over(COUNTS[2]), exits=1)
    assert "older than the topics" in again.stderr
    assert f"lane {COUNTS[2] - 1} has decided through" in again.stderr
    assert await published(cut.deployment) == before


async def test_what_was_lost_is_rebuilt_with_all_its_lanes_and_cut_overs(
    cut: Cut, stack: Addresses, migrated: str
) -> None:
    async with own_database(stack, migrated) as url:
        rebuilt = on(cut.deployment, url)
        refused = await program(rebuilt, "rebuild", "--partitions", str(COUNTS[1]), "--yes", exits=1)
        assert f"the horizons tell of {COUNTS[2]} partitions, not {COUNTS[1]}" in refused.stderr
        assert await rebuilt.rows("SELECT 1 FROM lanes") == []
        meant = await program(rebuilt, "rebuild", "--yes", "--json", environment=set_in(RULES))
        done = json.loads(meant.stdout)

        assert done["lanes"] == COUNTS[2]
        true, found = await rows_of(cut.deployment.settings.database.url), await rows_of(url)
        assert differences(true, found) == []
        record = (
            "SELECT outcome->'declared', outcome->'offsets' FROM audit WHERE command = 'topics cut-over' ORDER BY id"
        )
        assert await rebuilt.rows(record) == await cut.deployment.rows(record)
        await program(rebuilt, "verify", "--topics")
        await program(rebuilt, "verify", "--organization", TRAVELLER)
        replayed = await program(rebuilt, "replay", "--scratch", "--compare", "--json", environment=set_in(RULES))
        assert json.loads(replayed.stdout)["differences"] == {}


def set_in(settings: dict[str, str]) -> dict[str, str]:
    return {f"BILLING_{name}": value for name, value in settings.items()}


async def test_a_subscriber_reads_output_topics_that_kept_their_number_and_the_horizons_of_all_lanes(
    cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = {"BILLING_TOPICS__COMMANDS_PARTITIONS": str(COUNTS[2])}
    for name, value in (cut.deployment.environment | declared).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", ["attribute_usage.py", "usage", "attributed", "quarantine"])
    payers = load(None, arguments().partitions)
    assert payers.partitions == COUNTS[2]

    async with facts_into(payers) as facts:
        await facts.begin(lambda: False)

        async def is_final() -> bool:
            await facts.fold()
            return payers.through() is not None

        await until(is_final, "answers are final for all lanes", SECONDS_MAX)
    paid = await cut.deployment.rows("SELECT organization, project, since, account FROM bindings")
    told = [payers.paid(organization, project, since) for organization, project, since, _ in paid]
    assert {row.organization for row in paid} == set(ORGANIZATIONS)
    assert [answer.account for answer in told if isinstance(answer, Payer)] == [row.account for row in paid]


async def test_commands_of_before_are_answered_again_where_their_organization_lives_now(cut: Cut) -> None:
    """Last in this module: the deployment goes on."""
    deployment = cut.deployment
    known = {answer["id"] for answer in await deployment.messages("command_results")}
    asked = ("replay", "--organization", TRAVELLER, "--yes", "--json")
    sent = json.loads((await program(deployment, *asked)).stdout)
    deployment.sent += sent["sent"]
    with deployment.worker(**RULES) as worker:
        answers = await deployment.answers(SECONDS_MAX)
        await ready(worker)
        await end(worker)

    again = [answer for answer in answers if answer["id"] not in known]
    assert len(again) == sent["sent"] > len(COUNTS)
    assert {answer["organization"] for answer in again} == {TRAVELLER}
    assert all(answer["data"]["duplicate"] or is_reuse(answer) for answer in again)
    assert {"bind-0", "bind-1", "bind-2"} <= {answer["data"]["command"] for answer in again}
    await program(deployment, "verify", "--topics")


def is_reuse(answer: dict[str, Any]) -> bool:
    return [reason["code"] for reason in answer["data"].get("reasons", ())] == ["COMMAND_ID_REUSED"]
