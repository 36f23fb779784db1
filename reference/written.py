"""Files that are generated and committed: written anew, or only compared."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


def keep(program: str, says: str | None, files: Mapping[Path, str], arguments: Sequence[str] | None = None) -> int:
    """Write the files whose text is another, and name them; with `--check` only name them. 1: one would change."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=says)
    parser.add_argument("--check", action="store_true", help="write nothing, exit with 1 if a file would change")
    checking = parser.parse_args(arguments).check
    differing = [path for path, text in files.items() if not path.exists() or path.read_text("utf-8") != text]
    for path in differing:
        sys.stdout.write(f"{path.name}\n")
        if not checking:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], "utf-8")
    return int(bool(differing) and checking)
