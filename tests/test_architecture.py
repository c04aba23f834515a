"""How the code is laid out, held by tests: the reasons are in docs/architecture.md."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.dispatch import Signal

from config.env import ROOT
from merchants.signals import event_recorded
from notifications.mail import emails
from notifications.plans import TEMPLATES

FLOORS = ("merchants", "invoicing", "payments", "notifications")  # from the bottom up
CODE = [path for app in (*FLOORS, "config") for path in sorted((ROOT / app).rglob("*.py"))]
SAYS_NOTHING = {"utils", "util", "helpers", "common", "services", "misc", "lib", "core"}

# Where the status of a thing may change: app → its doors.
DOORS = {
    "invoicing": {"invoicing/lifecycle.py"},
    "payments": {"payments/transfers.py", "payments/quotes.py", "payments/refunds/door.py"},
    "notifications": {"notifications/outbox.py"},
    "merchants": set(),
    "config": set(),
}
# What has a `state` instead: an occurrence, a reminder.
DOORS_OF_STATE = {app: {"invoicing/schedules.py", "invoicing/reminders.py"} if app == "invoicing" else set() for app in DOORS}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module


def calls(path: Path, method: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method:
            yield node


@pytest.mark.parametrize("floor", FLOORS)
def test_imports_look_down_only(floor):
    above = set(FLOORS[FLOORS.index(floor) + 1 :]) | {"config", "tests"}
    upwards = {
        f"{name_of(path)} imports {module}" for path in (ROOT / floor).rglob("*.py") for module in imported(path) if module.partition(".")[0] in above
    }
    assert upwards == set()


def test_nothing_is_imported_from_the_tests():
    assert {name_of(path) for path in CODE if any(module.partition(".")[0] == "tests" for module in imported(path))} == set()


def changes_a_status(path: Path, column: str = "status") -> Iterator[int]:
    """The lines that assign `….status`, write it with update(), or save it by name. A new row's first status is no change."""
    for node in ast.walk(tree(path)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign | ast.AugAssign) else []
        if any(isinstance(target, ast.Attribute) and target.attr == column for target in targets):
            yield node.lineno
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr" and _is_text(node.args[1], column):
            yield node.lineno
    for call in calls(path, "update"):
        if any(keyword.arg == column for keyword in call.keywords):
            yield call.lineno
    for method in ("save", "bulk_update"):
        for call in calls(path, method):
            if any(_is_text(part, column) for part in ast.walk(call)):
                yield call.lineno


def _is_text(node: ast.AST, text: str) -> bool:
    return isinstance(node, ast.Constant) and node.value == text


@pytest.mark.parametrize("app", DOORS)
@pytest.mark.parametrize(("column", "doors"), [("status", DOORS), ("state", DOORS_OF_STATE)])
def test_a_status_changes_only_in_its_door(app, column, doors):
    written = {
        f"{name_of(path)}:{line}"
        for path in (ROOT / app).rglob("*.py")
        if "migrations" not in path.parts and name_of(path) not in doors[app]
        for line in changes_a_status(path, column)
    }
    assert written == set()


@pytest.mark.parametrize(
    "code",
    [
        "invoice.status = 'paid'",
        "Invoice.objects.filter(pk=1).update(status='paid')",
        "invoice.save(update_fields=['status', 'paid_at'])",
        "Invoice.objects.bulk_update(found, ['status'])",
        "setattr(invoice, 'status', 'paid')",
    ],
)
def test_the_watch_over_the_doors_sees_every_way_in(tmp_path, code):
    path = tmp_path / "way_in.py"
    path.write_text(code)
    assert list(changes_a_status(path)) == [1]


@pytest.mark.parametrize(
    "code", ["Invoice.objects.filter(status='open').update(viewed_at=now)", "Delivery(status='queued')", "status = invoice.status"]
)
def test_the_watch_over_the_doors_lets_reading_and_new_rows_pass(tmp_path, code):
    path = tmp_path / "no_way_in.py"
    path.write_text(code)
    assert list(changes_a_status(path)) == []


def test_invoices_are_moved_by_no_other_app():
    """Only invoicing.lifecycle writes to an invoice's money and status; the floors above call it."""
    written = set()
    for app in ("payments", "notifications", "config"):
        for path in (ROOT / app).rglob("*.py"):
            if "migrations" not in path.parts and "management" not in path.parts:
                written |= {f"{name_of(path)}:{call.lineno}" for call in calls(path, "update") if "Invoice.objects" in ast.unparse(call.func)}
    assert written == set()


def test_every_email_has_its_function_and_its_three_files():
    folders = {path.name: {file.name for file in path.iterdir()} for path in (ROOT / "templates" / "emails").iterdir() if path.is_dir()}
    assert set(folders) == set(emails.KINDS) == set(TEMPLATES)
    assert {kind: {"subject.txt", "body.txt", "body.html"} - files for kind, files in folders.items()} == {kind: set() for kind in folders}


def test_no_module_has_a_name_that_says_nothing():
    assert {name_of(path) for path in CODE if {path.stem, path.parent.name} & SAYS_NOTHING} == set()


def test_nothing_hangs_on_saving_or_deleting_a_row():
    """What happens is said in the door it goes through, not in a receiver that a reader has to know of."""
    assert {name_of(path) for path in CODE for module in imported(path) if module.startswith("django.db.models.signals")} == set()
    assert {name_of(path) for path in CODE if "post_save" in path.read_text() or "pre_save" in path.read_text()} == set()


def test_there_is_one_signal_of_our_own():
    made = {f"{name_of(path)}:{node.lineno}" for path in CODE for node in ast.walk(tree(path)) if _makes_a_signal(node)}
    assert len(made) == 1
    assert next(iter(made)).startswith("merchants/signals.py:")
    assert isinstance(event_recorded, Signal)
    assert len(event_recorded.receivers) == 1


def _makes_a_signal(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Signal"


def test_the_beat_table_names_tasks_that_exist_and_nothing_else_is_beaten():
    from config.celery import BEAT, app

    app.loader.import_default_modules()
    assert set(BEAT) - set(app.tasks) == set()


def test_only_the_clock_asks_what_time_it_is():
    """Everything else is told; heartbeats and health are about this machine's own time, not the installation's."""
    exempt = {"merchants/clock.py", "merchants/heartbeats.py", "config/health.py"}
    asked = set()
    for path in CODE:
        if name_of(path) in exempt or "migrations" in path.parts:
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "datetime.now",
                "timezone.now",
                "datetime.utcnow",
                "date.today",
                "time.time",
            ):
                asked.add(f"{name_of(path)}:{node.lineno}")
    assert asked == set()
