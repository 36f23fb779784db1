"""Style laws of the tests themselves."""

import ast
import re
from pathlib import Path

import pytest

from tests.tidy.tree import name_of, parsed, python

WORDS_MIN = 4
SHORT = {"test_who_paid", "test_random_bytes", "test_random_json"}
"""Names that are no sentences; not to grow."""
CLAIMS = re.compile(
    r"assert|check|raises|refuse|reject|expect|verify|accept|validate|decide|execute|commit|timeout|^run$"
    r"|^trial$|^faults$|^course$|survive|^says_why$|^ready$|^scenario$|^patched$"
)
"""Calls of these names claim something in the test's place: that what they do goes well, or what comes of it."""

Function = ast.FunctionDef | ast.AsyncFunctionDef

FILES = [path for path in python("tests") if path.name.startswith("test_")]


def functions_of(path: Path) -> list[Function]:
    found = [node for node in ast.walk(parsed(path)) if isinstance(node, Function)]
    return [function for function in found if function.name.startswith("test_")]


def claims_something(test: Function) -> bool:
    inside = list(ast.walk(test))
    calls = [node.func for node in inside if isinstance(node, ast.Call)]
    called = [call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls]
    return any(isinstance(node, ast.Assert) for node in inside) or any(CLAIMS.search(name) for name in called)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_the_names_of_tests_read_as_sentences(path: Path) -> None:
    names = [test.name for test in functions_of(path)]

    assert [name for name in names if len(name.split("_")) < WORDS_MIN and name not in SHORT] == []
    assert len(names) == len(set(names)), "one hides the other"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_test_claims_something(path: Path) -> None:
    assert [test.name for test in functions_of(path) if not claims_something(test)] == []
