"""No rule without a test: every code, event and command is claimed somewhere by an example.

Only what examples claim counts: what stands in an assertion, in a decorator, or in a table of the module. Every command
in every phase is in the tables of `test_phase_table`; `test_oracle` counts what the oracle has been held against.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from worker.domain.commands import Action
from worker.domain.decision import Reason
from worker.domain.events import Event

BEFORE_THE_RULES = {
    Reason.KEY_MISMATCH,
    Reason.WRONG_PARTITION,
    Reason.UNKNOWN_COMMAND,
    Reason.COMMAND_ID_REUSED,
    Reason.INVALID_CURRENCY,
    Reason.SENSITIVE_DATA_REFUSED,
    Reason.INTERNAL_ERROR,
}
"""Told by reading, by the lane, or by nobody's will."""
TESTS = Path(__file__).parents[1]
NO_EXAMPLES = {Path(__file__), TESTS / "domain/test_oracle.py", TESTS / "lane/test_oracle.py"}


def examples(*folders: str) -> list[Path]:
    """Modules of examples."""
    found = [path for folder in folders for path in sorted((TESTS / folder).rglob("test_*.py"))]
    return [path for path in found if path not in NO_EXAMPLES and not path.name.startswith("test_laws")]


def claims(path: Path) -> Iterator[ast.AST]:
    module = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(module):
        if isinstance(node, ast.Assert):
            yield node
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from node.decorator_list
    yield from (node for node in module.body if isinstance(node, ast.Assign | ast.AnnAssign))


def words(path: Path) -> set[str]:
    """Every name and every word of a text that stands in a claim."""
    found = set()
    for claim in claims(path):
        for node in ast.walk(claim):
            match node:
                case ast.Name(id=name) | ast.Attribute(attr=name):
                    found.add(name)
                case ast.Constant(value=str(text)):
                    found |= set(re.findall(r"\w+", text))
    return found


def claimed(*folders: str) -> set[str]:
    return {word for path in examples(*folders) for word in words(path)}


RULES, ELSEWHERE = claimed("domain"), claimed("wire", "lane", "contract")


@pytest.mark.parametrize("reason", sorted(set(Reason) - BEFORE_THE_RULES))
def test_every_code_of_the_rules_has_a_test(reason: Reason) -> None:
    assert reason.name in RULES


@pytest.mark.parametrize("reason", sorted(BEFORE_THE_RULES))
def test_every_other_code_has_a_test_of_whoever_tells_it(reason: Reason) -> None:
    assert reason.name in ELSEWHERE


@pytest.mark.parametrize("event", [event.__name__ for event in get_args(Event)])
def test_every_event_has_a_test(event: str) -> None:
    assert event in RULES


@pytest.mark.parametrize("action", [action.__name__ for action in get_args(Action)])
def test_every_command_has_a_test(action: str) -> None:
    spelled = "\n".join(path.read_text("utf-8") for path in [*examples("domain"), TESTS / "domain/given.py"])
    assert f"{action}(" in spelled
