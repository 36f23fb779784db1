"""The compiled build: whole, and to whoever uses it the same as the Python that it is made of."""

import ast
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from tests.compiled.builds import BUILD_SECONDS_MAX, MODULES, ROOT, SECONDS_MAX, run_on

pytestmark = pytest.mark.timeout(BUILD_SECONDS_MAX + SECONDS_MAX)

HISTORIES = 300
COMMANDS_MIN = 5_000
OUTCOMES = {"accepted", "dead_letter", "duplicate", "evaluated", "rejected", "tick"}


def libraries_in(directory: Path) -> set[str]:
    return {path.relative_to(directory).as_posix() for path in directory.rglob(f"*{EXTENSION_SUFFIXES[0]}")}


def test_every_module_that_is_named_is_there_as_source_and_as_machine_code(compiled: Path) -> None:
    expected = {module.removesuffix(".py") + EXTENSION_SUFFIXES[0] for module in MODULES}

    assert len(MODULES) > 40
    assert libraries_in(compiled) == expected | {f"billing_worker__mypyc{EXTENSION_SUFFIXES[0]}"}
    assert [module for module in MODULES if not (compiled / module).is_file()] == []
    assert (compiled / "worker/migrations/env.py").is_file()
    assert (compiled / "schemas/json").is_dir()


def test_nothing_of_it_is_left_in_the_tree(compiled: Path) -> None:
    assert libraries_in(ROOT / "worker") == libraries_in(ROOT / "schemas") == set()
    assert list(ROOT.glob("*__mypyc*")) == []


def test_both_builds_bring_about_the_same_to_the_byte(compiled: Path) -> None:
    answers = run_on(ROOT, "tests.compiled.answers")
    outcomes: dict[str, int] = ast.literal_eval(answers.splitlines()[-1])

    assert set(outcomes) == OUTCOMES
    assert sum(outcomes.values()) > COMMANDS_MIN
    assert run_on(compiled, "tests.compiled.answers") == answers


def test_values_are_compared_by_what_they_hold(compiled: Path) -> None:
    """Not by whether they are the same object, as mypyc compares classes whose __eq__ it does not see."""
    assert run_on(compiled, "tests.compiled.comparing") == run_on(ROOT, "tests.compiled.comparing") == "[]\n"


@pytest.mark.slow
def test_the_rules_and_the_wire_pass_their_tests_compiled(compiled: Path) -> None:
    said = run_on(compiled, "pytest", "-q", "-p", "no:cacheprovider", "tests/domain", "tests/wire")

    assert " passed" in said
    assert " failed" not in said


def test_histories_with_faults_keep_every_claim_compiled(compiled: Path) -> None:
    said = run_on(compiled, "tests.simulation", "--seeds", str(HISTORIES))

    assert said.startswith(f"{HISTORIES} histories in ")


def test_a_run_on_the_wrong_build_is_refused(compiled: Path) -> None:
    with pytest.raises(AssertionError, match=r"worker/domain/accounts\.py comes from"):
        run_on(compiled.parent / "nothing-there", "tests.compiled.answers")
