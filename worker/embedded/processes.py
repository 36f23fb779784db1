import contextlib
import signal
from pathlib import Path

import psutil


def family(pid: int) -> list[psutil.Process]:
    """The process, then all its descendants; empty if it is gone."""
    try:
        head = psutil.Process(pid)
        return [head, *head.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def send(pid: int, number: signal.Signals) -> None:
    """A signal to the process and all its descendants."""
    for process in family(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def is_about(pid: int, directory: Path) -> bool:
    """Whether there is such a process and its command line names the directory."""
    try:
        return any(str(directory) in argument for argument in psutil.Process(pid).cmdline())
    except psutil.Error:
        return False
