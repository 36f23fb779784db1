"""What ends the program before its result, told in a line or two. Imports little: it is there before anything else."""

import sys
import traceback

UNEXPECTED = 1
WRONG_USE = 2


def told(error: Exception) -> int:
    """Say on stderr what is wrong; the exit code."""
    from worker.settings import SettingsError  # noqa: PLC0415 - slow, and needed only here

    if isinstance(error, SettingsError):
        for line in str(error).splitlines():
            _say(line)
        return WRONG_USE
    if isinstance(error, ModuleNotFoundError):
        _say(f"{error.name} is not installed: pip install 'billing-worker[embedded]' brings what is optional")
        return UNEXPECTED
    frame = traceback.extract_tb(error.__traceback__)[-1]
    what = str(error).partition("\n")[0]
    _say(f"a defect of this program: {type(error).__name__}: {what} ({frame.name}, line {frame.lineno})")
    return UNEXPECTED


def _say(line: str) -> None:
    sys.stderr.write("".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line) + "\n")
