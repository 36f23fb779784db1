"""The commands that benchmarks send are what they are said to be."""

import json
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from benchmarks.mixes import MIXES, NAMES, REPEATED_SHARE, begin, organizations_of_each
from benchmarks.stage import Command
from schemas.commands import COMMANDS
from worker.wire.partitions import partition_of_key

COUNT = 20_000


@pytest.mark.parametrize("mix", MIXES.values(), ids=MIXES)
def test_a_mix_is_the_same_each_time(mix: Callable[[int], Iterator[Command]]) -> None:
    assert list(mix(2_000)) == list(mix(2_000))


@pytest.mark.parametrize("mix", MIXES.values(), ids=MIXES)
def test_a_mix_has_as_many_commands_as_asked_for(mix: Callable[[int], Iterator[Command]]) -> None:
    envelopes = [json.loads(value) for _, value in mix(COUNT)]

    assert len(envelopes) == COUNT
    assert {envelope["type"] for envelope in envelopes} <= set(COMMANDS)


@pytest.mark.parametrize("name", ["binds", "half_moves", "one_hot"])
def test_ids_are_used_once_where_nothing_is_repeated(name: str) -> None:
    ids = [(organization, json.loads(value)["id"]) for organization, value in MIXES[name](COUNT)]

    assert len(set(ids)) == COUNT


def test_a_story_repeats_one_command_in_a_hundred_to_the_letter() -> None:
    counts = Counter(MIXES["story"](COUNT))
    ids = {(organization, json.loads(value)["id"]) for organization, value in counts}

    assert len(ids) == len(counts)
    assert (COUNT - len(counts)) / COUNT == pytest.approx(REPEATED_SHARE, rel=0.25)


def test_one_hot_organization_lives_in_one_partition() -> None:
    assert {organization for organization, _ in MIXES["one_hot"](COUNT)} == set(NAMES[:1])


def test_half_of_the_commands_move_a_project_that_is_bound() -> None:
    seen: Counter[tuple[str, str]] = Counter()
    for organization, value in MIXES["half_moves"](COUNT):
        seen[organization, json.loads(value)["data"].get("project", "")] += 1
    projects = {key: count for key, count in seen.items() if key[1]}
    moves = sum(projects.values()) - len(projects)

    assert moves / sum(projects.values()) == pytest.approx(0.5, abs=0.03)


def test_organizations_are_found_for_each_partition() -> None:
    names = organizations_of_each(12, 5)

    assert Counter(partition_of_key(name.encode(), 12) for name in names) == dict.fromkeys(range(12), 5)
    assert len(set(names)) == 60
    assert len(list(begin(names))) == 3 * 60
