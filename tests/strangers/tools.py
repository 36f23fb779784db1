"""Tools that a bare machine does not have: `make test-ops` fails without them, other runs leave their tests out."""

import shutil

import pytest


def require(request: pytest.FixtureRequest, tool: str, how: str) -> str:
    """Where a program is."""
    path = shutil.which(tool)
    return path or missing(request, f"{tool} is needed: {how}")


def missing(request: pytest.FixtureRequest, sentence: str) -> str:
    """End the test: it fails where such tests were asked for, and is left out where they were not."""
    if request.config.getoption("markexpr") == "ops":
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)
