"""Nothing outlives its parent.

A guard is a second, tiny process that holds the reading end of a pipe. However the parent ends, also by kill -9, the
system closes the writing end; the guard then ends every process it was told of, with all that those started.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time

GRACE_SECONDS = 10.0
DISMISSED = 0  # no process has this number


class Guard:
    def __init__(self) -> None:
        """Fork the guard. Call it before any thread is started."""
        reading, self._pipe = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                os.close(self._pipe)
                os.setsid()  # Ctrl-C is for the parent
                _keep_watch(reading)
            finally:
                os._exit(0)
        os.close(reading)

    def watch(self, leader: int) -> None:
        """End the process `leader`, which leads a group of its own, once this process is gone."""
        os.write(self._pipe, f"{leader}\n".encode())

    def dismiss(self) -> None:
        """There is nothing left to watch: the parent has ended them all itself."""
        os.write(self._pipe, f"{DISMISSED}\n".encode())
        os.close(self._pipe)
        os.waitpid(self._pid, 0)


def _keep_watch(reading: int) -> None:
    with os.fdopen(reading) as pipe:
        leaders = [int(line) for line in pipe]
    if DISMISSED in leaders:
        return
    for leader in leaders:
        send(leader, signal.SIGTERM)
    until = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < until and any(lives(leader) for leader in leaders):
        time.sleep(0.05)
    for leader in leaders:
        end_group(leader)


def send(pid: int, what: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, what)


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def end_group(leader: int) -> None:
    """Kill what is left of the group that `leader` leads or led."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
