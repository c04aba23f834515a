import os
import signal
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from config import broker, run
from config.celery import BEAT, QUEUES, SEND, WATCH
from config.env import ROOT
from tests.stack import Stack

CLOCK = "from merchants import clock; answer = clock.now().timestamp()"


class TestThePort:
    def test_8000_without_one(self, monkeypatch):
        monkeypatch.delenv("PORT", raising=False)
        monkeypatch.setattr(socket.socket, "bind", lambda *_: None)
        assert run.read_port() == 8000

    @pytest.mark.parametrize("text", ["", "http", "0", "65536", "-1", "٣"])
    def test_what_is_no_port_is_refused(self, monkeypatch, text):
        monkeypatch.setenv("PORT", text)
        with pytest.raises(run.CannotRun, match=r"it takes a number from 1 to 65535\.$"):
            run.read_port()

    def test_a_taken_one_is_told_with_the_next_to_try(self, monkeypatch):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            monkeypatch.setenv("PORT", str(port))
            with pytest.raises(run.CannotRun, match=rf"^Port {port} is taken\. Try PORT={port + 1} make run\.$"):
                run.read_port()


class TestTheBroker:
    def test_its_socket_is_in_the_data_folder(self):
        assert broker.socket_path(Path("/srv/quittance")) == Path("/srv/quittance/valkey/socket")

    def test_a_path_that_is_too_long_for_a_socket_goes_to_a_temporary_folder(self):
        path = broker.socket_path(Path("/srv") / ("q" * 100))
        try:
            assert (path.name, len(str(path).encode()) <= 107) == ("socket", True)
        finally:
            path.parent.rmdir()

    def test_it_listens_on_no_port(self, tmp_path):
        line = broker.command(tmp_path / "socket", data_dir=tmp_path)
        assert line[line.index("--port") + 1] == "0"


def test_the_worker_listens_to_every_queue_of_the_beat_table(tmp_path):
    line = run.programs(8000, tmp_path)["worker"]
    assert line[line.index("--queues") + 1] == ",".join(QUEUES) == "chain,issue,pdf"
    assert {queue for _every, queue in BEAT.values()} == {*QUEUES, *SEND, WATCH}


def test_messages_are_sent_by_a_worker_of_their_own(tmp_path):
    line = run.programs(8000, tmp_path)["sender"]
    assert line[line.index("--queues") + 1] == ",".join(SEND) == "email,webhook"
    assert (line[line.index("--pool") + 1], line[line.index("--concurrency") + 1]) == ("threads", "8")


def test_what_asks_other_machines_has_a_worker_of_its_own(tmp_path):
    line = run.programs(8000, tmp_path)["watcher"]
    assert line[line.index("--queues") + 1] == WATCH == "watch"
    assert line[line.index("--pool") + 1] == "threads"


def test_a_folder_that_another_one_runs_on_is_refused(tmp_path):
    with run.hold(tmp_path), pytest.raises(run.CannotRun, match=r"^Another Quittance runs on "):
        run.hold(tmp_path)


def test_a_misspelt_setting_is_a_sentence_and_not_a_traceback(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "config.run"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "config.settings.demo", "DATA_DIR": str(tmp_path), "REDISURL": "x"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        "REDISURL in the environment is not a setting of Quittance. Did you mean REDIS_URL? The list is in .env.example.\n",
    )


@pytest.mark.stack
class TestTheWholeStack:
    def test_it_is_well_and_leaves_nothing_behind_when_it_is_stopped(self):
        with Stack() as stack:
            status = stack.wait_for(lambda: _well(stack), what="every part to be well", timeout=40)
            assert [name for name, part in status.items() if name not in ("ok", "mail") and not part["ok"]] == []
            assert f"Quittance is ready: {stack.url}/" in stack.said()
            before = stack.ask(CLOCK)
            stack.move_clock(timedelta(days=7))
            assert 7 * 86400 <= stack.ask(CLOCK) - before < 7 * 86400 + 60
            assert stack.stop() == 0
            assert stack.processes() == []

    def test_kill_9_of_the_parent_leaves_nothing_behind_and_when_one_part_ends_all_do_and_say_which(self):
        with Stack() as stack:
            assert len(stack.processes()) >= 7  # parent, guard, broker, web and its workers, worker and its processes, beat
            assert stack.kill() == -signal.SIGKILL
            assert stack.processes() == []
            stack.start()  # again, on its data
            beat = next(pid for pid in stack.processes() if "beat" in Path(f"/proc/{pid}/cmdline").read_text().split("\0"))
            os.kill(beat, signal.SIGKILL)
            assert stack.process.wait(timeout=40) == 1
            stack.process = None
            assert "Quittance stops: its beat ended with code -9. The lines above say why." in stack.said()
            assert stack.processes() == []


def _well(stack):
    import json
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(f"{stack.url}/status", timeout=5) as answer:  # noqa: S310 - our own loopback address
            return json.load(answer)
    except urllib.error.HTTPError as error:
        error.close()
        return None
