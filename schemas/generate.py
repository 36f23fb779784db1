"""Writes `schemas/json`, or tells with `--check` whether it is as the models say."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from schemas.asyncapi import asyncapi
from schemas.documents import documents

FOLDER: Final = Path(__file__).parent / "json"


def files() -> dict[str, str]:
    """Give the text of every generated file by its name."""
    return {name: _text(document) for name, document in {**documents(), "asyncapi.json": asyncapi()}.items()}


def drift(folder: Path = FOLDER) -> list[str]:
    """Name the files that are missing, left over, or other than the models say."""
    wanted = files()
    found = {path.name: path.read_text("utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def main(arguments: Sequence[str] | None = None, folder: Path = FOLDER) -> int:
    """Write the files, or only compare them; 1 means that they differ."""
    parser = argparse.ArgumentParser(prog="python -m schemas.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit with 1 if a file would change")
    checking = parser.parse_args(arguments).check
    differing = drift(folder)
    for name in differing:
        sys.stdout.write(f"{name}\n")
    if checking:
        return 1 if differing else 0
    wanted = files()
    folder.mkdir(exist_ok=True)
    for name in differing:
        if name in wanted:
            (folder / name).write_text(wanted[name], "utf-8")
        else:
            (folder / name).unlink()
    return 0


def _text(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
