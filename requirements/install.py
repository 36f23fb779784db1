"""Installs the locked packages into the interpreter that runs this, and shows how far it is."""

import subprocess
import sys
from pathlib import Path

LOCK = Path(__file__).parent / "development.txt"
PIP = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]


def main() -> int:
    """Run pip, count what it collects, and show its own words if it fails."""
    total = sum("==" in line for line in LOCK.read_text("utf-8").splitlines() if not line.startswith((" ", "#")))
    command = [*PIP, "--require-hashes", "--requirement", str(LOCK)]
    pip = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # noqa: S603 - our own words
    said = []
    collected = 0
    for line in pip.stdout or ():
        said.append(line)
        if line.startswith(("Collecting", "Requirement already satisfied")):
            collected += 1
            show(f"{collected} of about {total} packages")
        elif line.startswith("Installing"):
            show("installing")
    sys.stdout.write("\n")
    if pip.wait():
        sys.stdout.writelines(said[-20:])
    return pip.returncode


def show(progress: str) -> None:
    """One line that is written over and over; on a terminal only."""
    if sys.stdout.isatty():
        sys.stdout.write(f"\r    {progress:<40}")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
