"""`make bench`: how fast it is, each figure beside its bare limit in the same run, on a PostgreSQL of its own.

Seconds differ from machine to machine; the ratios should not. Exits with 1 when a bound is missed.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests import postgres

FEW, MANY = 2_000, 50_000
missed: list[str] = []


def milliseconds(call: Callable[[], Any], rounds: int = 30) -> tuple[float, float]:
    """p50 and p95 of `call`, after three rounds to warm up."""
    for _warm in range(3):
        call()
    took = []
    for _round in range(rounds):
        began = time.perf_counter()
        call()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took), sorted(took)[int(rounds * 0.95) - 1]


def say(what: str, figure: str) -> None:
    print(f"{what:<58} {figure}", flush=True)


def bound(what: str, value: float, limit: float) -> None:
    verdict = "ok" if value <= limit else "MISSED"
    say(what, f"{value:.2f}   (bound {limit:g}: {verdict})")
    if value > limit:
        missed.append(what)


def fill(merchant: Any, count: int) -> None:
    """`count` issued invoices, in bulk."""
    from invoicing.models import Invoice, Status
    from tests.factories import NOW

    have = Invoice.objects.filter(merchant=merchant).count()
    rows = (
        Invoice(
            merchant=merchant,
            status=Status.PAID if n % 3 else Status.OPEN,
            number=f"INV-{n:06d}",
            payer_name=f"Payer {n % 997}",
            payer_email=f"payer{n % 997}@duarte.example",
            title=f"Work {n}",
            currency="EUR",
            total_minor=1000 + n,
            credited_minor=1000 + n if n % 3 else 0,
            issue_at=NOW,
            issued_at=NOW,
            due_at=NOW + timedelta(days=n % 60 - 20),
            terms={},
        )
        for n in range(have + 1, count + 1)
    )
    Invoice.objects.bulk_create(rows, batch_size=2000)


def pages() -> None:
    from django.db import connection
    from django.test import Client

    from invoicing.models import Invoice
    from tests.factories import make_merchant, make_user

    owner = make_user()
    merchant = make_merchant(owner)
    client = Client()
    client.force_login(owner)
    base = f"/m/{merchant.slug}/"
    found: dict[tuple[str, int], float] = {}
    for count in (FEW, MANY):
        fill(merchant, count)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        bare, _p95 = milliseconds(lambda: list(Invoice.objects.filter(merchant=merchant).order_by("-id").values()[:26]))
        say(f"{count:>7,} invoices: the bare query of a page's rows, p50", f"{bare:.1f} ms")
        for name, path in (("list", "invoices/"), ("list, overdue", "invoices/?show=overdue"), ("overview", "")):
            p50, p95 = milliseconds(lambda path=path: client.get(base + path))  # type: ignore[misc]
            found[name, count] = p50
            say(f"{count:>7,} invoices: {name}, p50 and p95", f"{p50:.1f} ms, {p95:.1f} ms ({p50 / bare:.1f} × bare)")
    for name in ("list", "list, overdue"):
        bound(f"{name}: p50 at {MANY:,} over {FEW:,}", found[name, MANY] / found[name, FEW], 1.5)


def settling(count: int = 200) -> None:
    from invoicing.models import Invoice
    from payments import quotes, watcher
    from payments.rails import sandbox
    from tests.factories import NOW, make_draft, make_merchant, publish
    from tests.payments.money import NETWORK, USDT

    merchant = make_merchant(slug="settling")
    sandbox.mine(now=NOW)
    began = time.perf_counter()
    invoices = [publish(make_draft(merchant), now=NOW) for _invoice in range(count)]
    say("invoices written and issued", f"{count / (time.perf_counter() - began):.0f} /s")
    for invoice in invoices:
        quote = quotes.ask(invoice, USDT, now=NOW)
        sandbox.pay(quote.receive_address.address, USDT, quote.amount_units, now=NOW)
    for _block in range(3):
        sandbox.mine(now=NOW)
    began = time.perf_counter()
    watcher.read(NETWORK, now=NOW)
    seconds = time.perf_counter() - began
    assert Invoice.objects.filter(merchant=merchant, status="paid").count() == count
    say("transfers seen, final and settled in one pass", f"{count / seconds:.0f} /s")
    idle, _p95 = milliseconds(lambda: watcher.read(NETWORK, now=NOW), rounds=10)
    say(f"a pass over {count} watched addresses with nothing new, p50", f"{idle:.1f} ms")


def printing() -> None:
    from invoicing import pdf
    from tests.factories import NOW, make_draft, make_merchant, publish

    invoice = publish(make_draft(make_merchant(slug="printing")), now=NOW)
    p50, p95 = milliseconds(lambda: pdf.render(invoice, "invoice"), rounds=10)
    say("an invoice of one page as PDF, p50 and p95", f"{p50:.0f} ms, {p95:.0f} ms")


def main() -> int:
    programs = postgres.programs()
    if programs is None:
        print(postgres.MISSING)
        return 1
    server = postgres.Server(programs)
    server.start()
    try:
        os.environ["TEST_DATABASE_URL"] = server.url
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        settling()
        printing()
        pages()
    finally:
        from django.db import connections

        connections.close_all()
        server.stop()
    print("\nMissed: " + ", ".join(missed) if missed else "\nEvery bound holds.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
