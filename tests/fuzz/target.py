"""What libFuzzer runs; started by explore.py. Stops at no finding, and keeps one of each kind."""

import hashlib
import importlib
import os
import sys
import traceback
from pathlib import Path
from random import Random
from typing import Any, Final

FINDINGS: Final = "FUZZ_FINDINGS"
"""The variable that names the directory of findings."""
RUN: Final = f"{sys.executable} -m tests.fuzz.target"
"""How libFuzzer starts this again, in the shell, when it shrinks a corpus."""

_INSTRUMENTED = ["schemas", "worker", "json", "rfc8785", "email_validator"]


def main() -> None:
    """Give this process to libFuzzer, which ends it."""
    atheris: Any = importlib.import_module("atheris")  # no part of the development environment, so not imported above
    with atheris.instrument_imports(include=_INSTRUMENTED):
        from tests.fuzz.form import record_of  # noqa: PLC0415
        from tests.fuzz.mutations import mutated  # noqa: PLC0415
        from tests.wire.promises import check  # noqa: PLC0415

    def try_one(content: bytes) -> None:
        try:
            check(record_of(content))
        except Exception as error:  # noqa: BLE001 - the very thing that is looked for
            keep(content, error)

    def mutate_text(text: str) -> str:
        content = text.encode(errors="surrogatepass")
        mutant: bytes = atheris.Mutate(content, len(content) + 16)
        return mutant.decode(errors="replace")

    def mutate(content: bytes, size_max: int, seed: int) -> bytes:
        if Random(seed).random() < 0.5:  # noqa: S311 - half of the time
            return mutated(content, seed, mutate_text)[:size_max]
        plain: bytes = atheris.Mutate(content, size_max)
        return plain

    atheris.Setup([RUN, *sys.argv[1:]], try_one, custom_mutator=mutate)
    atheris.Fuzz()


def keep(content: bytes, error: Exception) -> None:
    """Put a finding down, unless there is one that broke at the same place."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "site-packages" not in frame.filename]
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]
    name = hashlib.sha1(f"{type(error).__name__} {places}".encode(), usedforsecurity=False).hexdigest()[:12]
    findings = Path(os.environ[FINDINGS])
    if not (findings / name).exists():
        (findings / name).write_bytes(content)
        (findings / f"{name}.txt").write_text("".join(traceback.format_exception(error)), "utf-8")


if __name__ == "__main__":
    main()
