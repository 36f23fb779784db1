"""Every command on the pages is executed by a test, which is found here, or stands in a list with the reason."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.docs.blocks import PAGES, Block, blocks_of
from tests.docs.elsewhere import NOT_AS_IT_STANDS
from tests.docs.test_commands import WHOLE
from tests.tidy.tree import ROOT, name_of, parsed, python

BLOCKS = [block for page in PAGES for block in blocks_of(page) if block.commands or "BILLING" in block.text]
WORDS_MIN = 12
"""So long are words of a block by which a test may find it; a heading may be shorter."""

MODULES = {name_of(path): path for path in python("tests")}


@cache
def asked_for(path: Path) -> frozenset[tuple[str, ...]]:
    """What a module says together: texts in one call or tuple; each in a list or as a key; a constant."""
    found: set[tuple[str, ...]] = set()
    for node in ast.walk(parsed(path)):
        match node:
            case ast.Call(args=said) | ast.Tuple(elts=said):
                found.add(_texts(said))
            case ast.Dict(keys=keys):
                found |= {_texts([each]) for each in keys if each is not None}
            case ast.List(elts=said):
                found |= {_texts([each]) for each in said}
            case ast.Assign(value=said) | ast.AnnAssign(value=said) if said is not None:
                found.add(_texts([said]))
    return frozenset(found)


def _texts(nodes: list[ast.expr]) -> tuple[str, ...]:
    return tuple(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


@cache
def names_of_pages(path: Path) -> frozenset[str]:
    """The pages that a module speaks of, by the name of the file."""
    texts = [node.value for node in ast.walk(parsed(path)) if isinstance(node, ast.Constant)]
    return frozenset(text.rpartition("/")[2] for text in texts if isinstance(text, str) and text.endswith(".md"))


@cache
def imported_by(path: Path) -> frozenset[Path]:
    """The modules of the tests that a module imports, those that they import, and so on; and itself."""
    found, new = {path}, {path}
    while new:
        new = {each for known in new for each in _imported_at_once(known)} - found
        found |= new
    return frozenset(found)


@cache
def _imported_at_once(path: Path) -> frozenset[Path]:
    nodes = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.ImportFrom) and node.module]
    names = {name for node in nodes for name in (node.module, *(f"{node.module}.{each.name}" for each in node.names))}
    files = (f"{name.replace('.', '/')}.py" for name in names if name)
    return frozenset(MODULES[file] for file in files if file in MODULES)


def executes(path: Path, block: Block) -> bool:
    """Whether a test module reads the page, itself or by what it imports, and asks for this block of it."""
    name = Path(block.page).name
    if not any(name in names_of_pages(module) for module in imported_by(path)):
        return False
    return any(_means(said, block) for said in asked_for(path))


def _means(said: tuple[str, ...], block: Block) -> bool:
    words = [each for each in said if not each.endswith(".md") and each != block.language]
    if not all(each == block.head or each in block.text for each in words):
        return False
    return any(each == block.head or len(each) >= WORDS_MIN for each in words)


def executors(block: Block) -> list[str]:
    """The test modules that execute a block."""
    if block.page in WHOLE:
        return ["tests/docs/test_commands.py"]
    ours = name_of(Path(__file__))
    return [
        name
        for name, path in MODULES.items()
        if path.name.startswith("test_") and name != ours and executes(path, block)
    ]


def key(block: Block) -> tuple[str, str]:
    return block.page, re.sub(r" [\\|].*| --publisher.*", "", block.begins)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.page}: {block.head}")
def test_a_block_of_commands_is_executed_by_a_test_or_listed_with_a_reason(block: Block) -> None:
    assert executors(block) or key(block) in NOT_AS_IT_STANDS, f"no test executes {block.begins}"


def test_the_list_speaks_of_blocks_that_there_are_and_of_tests_that_there_are() -> None:
    assert {key(block) for block in BLOCKS} >= NOT_AS_IT_STANDS.keys()
    named = [name for why in NOT_AS_IT_STANDS.values() for name in re.findall(r"tests/[\w/]+\.py", why)]
    assert len(named) > 3
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_a_block_that_nobody_executes_is_found() -> None:
    assert executors(Block("docs/recovery.md", "Something new", "sh", "billing-worker lanes --everything")) == []
