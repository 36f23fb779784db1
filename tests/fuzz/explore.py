"""Try the reader on records that lead where no earlier one did (coverage-guided, by Atheris and libFuzzer).

Every record is held against all promises of tests/wire/promises.py. One that breaks a promise is kept under
--findings, once for each place that it breaks at, and exploring goes on; the exit status is then 1. What was explored
is kept under --explored, where the next run begins. --shrink, in place of exploring, puts into the corpus of the
repository the fewest files that lead wherever all of them led.

Needs atheris, which is none of the project's dependencies: pip install -r requirements/fuzz.txt
"""

import argparse
import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.fuzz.form import FILE_BYTES_MAX, file_of, record_of
from tests.fuzz.seeds import seeds
from tests.fuzz.target import FINDINGS, RUN
from tests.tidy.tree import ROOT

HERE = Path(__file__).parent
CORPUS, DICTIONARY = HERE / "corpus", HERE / "dictionary.txt"
CORPUS_FILES_MAX: Final = 399
MEMORY_MB_MAX: Final = 2_048
SECONDS_EACH_MAX: Final = 20


def main(arguments: list[str] | None = None) -> int:
    """Explore or shrink. Returns the exit status: 1 for findings, 2 without atheris."""
    options = _options().parse_args(arguments)
    if importlib.util.find_spec("atheris") is None:
        sys.stderr.write("atheris is not installed: pip install -r requirements/fuzz.txt\n")
        return 2
    for directory in (options.explored, options.findings, CORPUS):
        directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        start = Path(scratch) / "start"
        keep(seeds(), start)
        if options.shrink:
            return _shrink(options, [CORPUS, options.explored, start], Path(scratch))
        return _explore(options, [options.explored, CORPUS, start])


def keep(contents: Iterable[bytes], directory: Path) -> None:
    """Files named after what is in them."""
    directory.mkdir(parents=True, exist_ok=True)
    for content in contents:
        name = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        (directory / name).write_bytes(content)


def _explore(options: argparse.Namespace, corpora: list[Path]) -> int:
    """New records go into the first of the corpora."""
    before = {path.name for path in options.findings.iterdir()}
    flags = [
        f"-max_total_time={options.seconds}",
        f"-timeout={SECONDS_EACH_MAX}",
        f"-dict={DICTIONARY}",
        f"-artifact_prefix={options.findings}/",
        "-len_control=0",
        "-print_final_stats=1",
    ]
    ended = _fuzz(options, flags, corpora)
    found = sorted(path for path in options.findings.iterdir() if path.name not in before)
    for path in found:
        sys.stdout.write(path.read_text("utf-8") if path.suffix == ".txt" else f"==> {path}\n")
    sys.stdout.write(f"{sum(path.suffix != '.txt' for path in found)} findings\n")
    return 1 if ended or found else 0


def _shrink(options: argparse.Namespace, corpora: list[Path], scratch: Path) -> int:
    """Keep the fewest that reach the same lines as often; if those are too many, that reach them at all."""
    for flags in (["-set_cover_merge=1"], ["-set_cover_merge=1", "-use_counters=0"]):
        shrunk = scratch / "-".join(["shrunk", *flags])
        shrunk.mkdir()
        if ended := _fuzz(options, flags, [shrunk, *corpora]):
            return ended
        chosen = {file_of(record_of(path.read_bytes())) for path in shrunk.iterdir()}
        if len(chosen) <= CORPUS_FILES_MAX:
            break
    else:
        sys.stderr.write(f"{len(chosen)} files are too many; {CORPUS_FILES_MAX} are allowed\n")
        return 1
    for path in CORPUS.iterdir():
        path.unlink()
    keep(chosen, CORPUS)
    sys.stdout.write(f"{len(chosen)} files, {sum(map(len, chosen))} bytes\n")
    return 0


def _fuzz(options: argparse.Namespace, flags: list[str], corpora: list[Path]) -> int:
    every = [f"-max_len={FILE_BYTES_MAX}", f"-rss_limit_mb={MEMORY_MB_MAX}", *map(str, corpora)]
    environment = os.environ | {FINDINGS: str(options.findings.resolve())}
    return subprocess.run([*RUN.split(), *flags, *every], env=environment, cwd=ROOT, check=False).returncode


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz.explore", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=60, help="how long to explore (60)")
    parser.add_argument(
        "--explored", type=Path, default=ROOT / ".billing/fuzz/explored", help="where new records go, and come from"
    )
    parser.add_argument("--findings", type=Path, default=ROOT / ".billing/fuzz/findings", help="where findings go")
    parser.add_argument("--shrink", action="store_true", help="bring the corpus of the repository up to date")
    return parser


if __name__ == "__main__":
    sys.exit(main())
