"""Runs one program, and ends it when whoever asked for it is gone.

A keeper stands between the worker and each server. It reads from a pipe whose other end only the worker holds; the
kernel closes that end however the worker dies, and the keeper then stops its server. PR_SET_PDEATHSIG would be shorter,
but it fires when the *thread* that started the child ends, is lost when the child changes its user, and does not exist
on macOS.

Run as a script, with its order as one JSON argument; it imports nothing but the standard library.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from typing import TypedDict

CAP_DAC_OVERRIDE = 1
PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 8, 47, 2
CAPABILITY_VERSION_3 = 0x20080522


class Order(TypedDict):
    """What to run, and how."""

    command: list[str]
    environment: dict[str, str]
    input: str
    stop_signal: int
    stop_seconds: float
    user: tuple[int, int] | None  # uid, gid to become; None stays who it is
    roams: bool  # the user may enter directories that are closed to it


def run(order: Order) -> int:
    """Run to the end, or to the end of the asker; the program's exit code, 128 + n for signal n."""
    with tempfile.TemporaryFile() as given:
        given.write(order["input"].encode())
        given.seek(0)
        libc = ctypes.CDLL(None, use_errno=True)
        program = subprocess.Popen(  # noqa: S603  the worker's own order
            order["command"],
            stdin=given,
            stdout=sys.stderr,
            env=order["environment"],
            preexec_fn=lambda: become(order, libc),  # noqa: PLW1509  no thread runs yet
        )
    print(program.pid, flush=True)  # noqa: T201  the answer to the asker
    threading.Thread(target=stop_when_abandoned, args=(program, order), daemon=True).start()
    code = program.wait()
    return code if code >= 0 else 128 - code


def stop_when_abandoned(program: "subprocess.Popen[bytes]", order: Order) -> None:
    """Wait for the pipe to close, then stop the program: politely, and after `stop_seconds` for good."""
    while os.read(0, 1):
        pass
    program.send_signal(order["stop_signal"])
    program.send_signal(signal.SIGCONT)
    try:
        program.wait(order["stop_seconds"])
    except subprocess.TimeoutExpired:
        program.kill()


def become(order: Order, libc: ctypes.CDLL) -> None:
    """Give up root in the child, before it turns into the program."""
    if order["user"] is None:
        return
    uid, gid = order["user"]
    if order["roams"]:
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if order["roams"]:
        mask = 1 << CAP_DAC_OVERRIDE
        header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
        wanted = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)  # effective, permitted, inheritable; high words
        if libc.capset(header, wanted) or libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0):
            raise OSError(ctypes.get_errno(), "capability refused")


if __name__ == "__main__":
    sys.exit(run(json.loads(sys.argv[1])))
