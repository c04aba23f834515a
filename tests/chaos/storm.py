"""The processes of the chaos test, and whoever kills them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import redis
from django.conf import settings
from django.db import connection

from config import broker
from config.env import ROOT
from tests.postgres import die_with_the_parent

CREW = ("sender", "sender", "worker", "beat", "beat")
PREY = ("sender", "worker")


@dataclass(frozen=True)
class Kill:
    pid: int
    at: float  # time.time


class Crew:
    """Broker, workers, senders and two beats on the test's database. `kills` is what was done to them."""

    def __init__(self, folder: Path, *, mail_port: int) -> None:
        self.folder = folder
        self.kills: list[Kill] = []
        self.emptied = 0
        self.alive: dict[int, str] = {}
        self._lock = threading.Lock()
        socket = broker.socket_path(folder)
        self.broker_url = f"unix://{socket}"
        self._broker = self._start(broker.command(socket, data_dir=folder))
        broker.wait(self.broker_url, alive=lambda: self._broker.poll() is None, stopping=lambda: False)
        found = connection.settings_dict
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
            "CHAOS_DATABASE_URL": f"postgres://{found['USER']}@{found['HOST']}:{found['PORT']}/{found['NAME']}",
            "CHAOS_BROKER_URL": self.broker_url,
            "CHAOS_CLOCK_FILE": settings.CLOCK_FILE,
            "CHAOS_MAIL_PORT": str(mail_port),
            "CHAOS_FOLDER": str(folder),
        }

    def _start(self, command: list[str], **more: object) -> subprocess.Popen[str]:
        with (self.folder / "log").open("a") as log:
            return subprocess.Popen(command, cwd=ROOT, stderr=log, text=True, preexec_fn=die_with_the_parent, **{"stdout": log, **more})

    def __enter__(self) -> Crew:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "env": self.environment}
        self._nursery = self._start([sys.executable, "-m", "tests.chaos.nursery"], **pipes)
        for kind in CREW:
            self._bear(kind)
        return self

    def __exit__(self, *_exc: object) -> None:
        for pid in list(self.alive):
            os.kill(pid, signal.SIGKILL)
        self._nursery.kill()
        self._nursery.communicate()
        self._broker.terminate()
        self._broker.wait()

    def _bear(self, kind: str) -> None:
        assert self._nursery.stdin
        assert self._nursery.stdout
        self._nursery.stdin.write(kind + "\n")
        self._nursery.stdin.flush()
        with self._lock:
            self.alive[int(self._nursery.stdout.readline())] = kind

    def kill_one(self) -> None:
        """One of them, at random, with -9; another takes its place."""
        pid, kind = random.choice([(pid, kind) for pid, kind in self.alive.items() if kind in PREY])
        os.kill(pid, signal.SIGKILL)
        with self._lock:
            self.kills.append(Kill(pid, time.time()))
            del self.alive[pid]
        self._bear(kind)

    def empty_the_broker(self) -> None:
        with redis.Redis.from_url(self.broker_url) as client:
            client.flushall()
        self.emptied += 1

    def said(self) -> str:
        return (self.folder / "log").read_text(errors="replace")


class Storm(threading.Thread):
    """Kills one every second or so, as often as `issued` invoices allow, and empties the broker now and then; until it has
    killed enough and is told to end."""

    def __init__(self, crew: Crew, *, at_least: int, apart: int) -> None:
        """`apart`: so many invoices lie between two kills, on a slow machine too."""
        super().__init__(daemon=True)
        self.crew, self.at_least, self.apart = crew, at_least, apart
        self.issued = 0
        self.may_end = threading.Event()

    def run(self) -> None:
        while not self.may_end.is_set() or len(self.crew.kills) < self.at_least:
            time.sleep(random.uniform(0.4, 1.4))
            if not self.may_end.is_set() and self.issued < len(self.crew.kills) * self.apart:
                continue
            self.crew.kill_one()
            if len(self.crew.kills) % 10 == 5:
                self.crew.empty_the_broker()
