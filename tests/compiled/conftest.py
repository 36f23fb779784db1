import sys
from pathlib import Path

import pytest

from hatch_build import what_is_missing
from tests.compiled.builds import MODULES, ROOT, make_compiled


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the compiled build of this very tree is. One of another Python than that of .venv is gone afterwards."""
    if missing := what_is_missing():
        pytest.skip(missing)
    home = Path(sys.prefix) if Path(sys.prefix) == ROOT / ".venv" else tmp_path_factory.mktemp("builds")
    make_compiled(home / "compiled")
    for module in MODULES:
        assert (home / "compiled" / module).read_bytes() == (ROOT / module).read_bytes(), module
    return home / "compiled"
