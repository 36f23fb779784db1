"""A release after this one: the same program with one migration more."""

import shutil
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from worker.store import revisions as known

ROOT = Path(__file__).parents[2]
REVISION = "later"
FILE = '''"""What a later release brings"""

from alembic import op

revision = "{revision}"
down_revision = "{head}"
branch_labels = None
depends_on = None
only_adds = {only_adds}


def upgrade() -> None:
    for statement in {statements!r}:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError
'''


def revisions() -> list[str]:
    """Those of this release, oldest first."""
    found = ScriptDirectory(str(ROOT / "migrations")).walk_revisions()
    return [script.revision for script in found][::-1]


def later_migrations(folder: Path, *statements: str, only_adds: bool = True) -> Path:
    """The migrations of this release and one more, which says these statements."""
    migrations = folder / "migrations"
    shutil.copytree(ROOT / "migrations", migrations, ignore=shutil.ignore_patterns("__pycache__"))
    text = FILE.format(revision=REVISION, head=known.head_revision(), statements=statements, only_adds=only_adds)
    (migrations / "versions" / "9999_later.py").write_text(text, "utf-8")
    config = Config()
    config.set_main_option("script_location", str(migrations))
    assert ScriptDirectory.from_config(config).get_current_head() == REVISION
    return migrations


def later_release(folder: Path, *statements: str, only_adds: bool = True) -> Path:
    """All of this release, with one migration more. Whoever starts Python in there runs it."""
    for part in ("worker", "schemas"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    later_migrations(folder, *statements, only_adds=only_adds)
    return folder
