"""Style laws of the product's modules."""

import ast
import re
import sys
from pathlib import Path
from statistics import median

from tests.tidy.tree import name_of, parsed, python

LINES_MAX = 300
MEDIAN_LINES_MAX = 120
EMPTY_NAMES = {"manager", "service", "helper", "util", "utils", "common", "base", "handler"}
OURS = python("worker", "schemas")
IMPURE = {"asyncio", "logging", "os", "random", "secrets", "socket", "threading", "time"}


def in_folder(folder: str) -> list[Path]:
    return [path for path in OURS if name_of(path).startswith(folder)]


def lines_of(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def test_every_module_fits_in_a_head() -> None:
    assert {name_of(path): lines_of(path) for path in OURS if lines_of(path) > LINES_MAX} == {}


def test_most_modules_are_a_page_or_two() -> None:
    assert median([lines_of(path) for path in OURS if path.name != "__init__.py"]) <= MEDIAN_LINES_MAX


def test_modules_and_classes_are_named_after_what_they_are() -> None:
    for path in OURS:
        classes = [node.name for node in ast.walk(parsed(path)) if isinstance(node, ast.ClassDef)]
        for name in [path.stem, path.parent.name, *classes]:
            assert not words(name) & EMPTY_NAMES, f"{name} in {name_of(path)}"


def words(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def test_the_store_leaves_commit_to_the_lane() -> None:
    """But for the port by which the lane says it."""
    for path in set(in_folder("worker/store/")) - {Path("worker/store/database.py").resolve()}:
        called = [node.func for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)]
        attributes = {function.attr for function in called if isinstance(function, ast.Attribute)}
        assert "commit" not in attributes, name_of(path)


def test_the_domain_knows_nothing_but_itself_and_the_standard_library() -> None:
    assert len(in_folder("worker/domain/")) > 10
    for path in in_folder("worker/domain/"):
        known = {name for name in imported_by(path) if name.startswith("worker.domain")}
        rest = {name.partition(".")[0] for name in imported_by(path) - known}
        assert rest <= sys.stdlib_module_names - IMPURE, name_of(path)


def imported_by(path: Path) -> set[str]:
    """The modules that a module imports, with dots."""
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)} imports relatively"
            found.add(node.module or "")
    return found


def test_no_value_is_final() -> None:
    """What compiles the rules would compare them by identity: it does not see the `__eq__` that `value` makes."""
    for path in OURS:
        classes = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.ClassDef)]
        for node in classes:
            named = {ast.unparse(decorator) for decorator in node.decorator_list}
            assert not {"value", "final"} <= named, f"{node.name} in {name_of(path)}"
