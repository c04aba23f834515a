"""One clock for every process; only demo and tests can move it."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine

from merchants import clock

AT = datetime(2026, 11, 17, 10, 0, tzinfo=UTC)


@time_machine.travel(AT, tick=False)
def test_it_is_the_real_time_in_utc_until_it_is_moved():
    assert (clock.now(), clock.now().tzinfo, clock.offset()) == (AT, UTC, timedelta())


@time_machine.travel(AT, tick=False)
def test_moves_add_up():
    clock.move(timedelta(days=7))
    clock.move(timedelta(hours=1))
    assert clock.now() == datetime(2026, 11, 24, 11, 0, tzinfo=UTC)


def test_another_process_sees_the_move(settings: Any):
    clock.move(timedelta(days=3))
    script = (
        "from django.conf import settings; import sys; settings.configure(CLOCK_FILE=sys.argv[1]);"
        "from merchants import clock; print(clock.offset().total_seconds())"
    )
    root = Path(__file__).resolve().parents[2]
    result = subprocess.run([sys.executable, "-c", script, settings.CLOCK_FILE], cwd=root, capture_output=True, text=True, check=True)
    assert float(result.stdout) == 259200.0


def test_a_move_leaves_no_half_written_file_behind(settings: Any):
    clock.move(timedelta(seconds=1.5))
    path = Path(settings.CLOCK_FILE)
    assert (path.read_text(), sorted(path.parent.glob("clock*"))) == ("1.5", [path])


def test_an_empty_file_is_no_move(settings: Any):
    Path(settings.CLOCK_FILE).write_text("")
    assert clock.offset() == timedelta()


@pytest.mark.parametrize("none", ["", None])
def test_without_a_file_it_cannot_be_moved(settings: Any, none: str | None):
    settings.CLOCK_FILE = none
    with pytest.raises(RuntimeError, match="CLOCK_FILE is not set"):
        clock.move(timedelta(days=1))
    assert clock.offset() == timedelta()
