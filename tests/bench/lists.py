"""The lists at 2,000, 200,000 and a million invoices: pages, filters, searches and sums."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Iterator
from typing import Any

from tests.bench.measuring import MAIN, bound, copy, say, settle_down, timed, use

FEW, MANY, ALL = 2_000, 200_000, 1_000_000
OTHERS = 40  # merchants who share the rest
PAYERS = 40  # of a merchant: each has as large a share of its invoices, however many there are
SHARE = 1.5  # what p50 at MANY may be over p50 at FEW
TOTALS_MS = 300.0


# One row of an invoice from its number n: seeded by n alone. Two thirds are paid; of the open, a third is overdue.
ROWS = """
INSERT INTO invoicing_invoice (
    version, form_key, payer_id, payer_name, payer_email, payer_address, payer_tax_id, payer_reference, merchant_name, merchant_email, title,
    description, remark, currency, prices_include_tax, net_minor, discount_minor, tax_minor, total_minor, tax_lines, all_assets, asset_ids,
    language, time_zone, notify_email, notify_webhook, created_at, merchant_id, public_id, status, number, shelf, search_text, issue_at, due_at,
    published_at, issued_at, paid_at, void_reason, terms, tolerance_minor, late_policy, credited_minor, pending_minor, refunded_minor,
    written_off_minor, returning_minor, shortfall_minor, is_underpaid, is_overpaid, is_paid_late, mail_to, mail_copies, remind
)
SELECT 1, '', payer.id, payer.name, payer.email, '', '', 'PO-' || n, 'Harbour', 'studio@harbourpine.example', title, '', '', currency, false, minor,
    0, 0, minor, '[]', true, '[]', 'en', 'Europe/Lisbon', true, true, at, %(merchant)s, 'bench-' || %(merchant)s || '-' || n,
    CASE WHEN n %% 3 = 0 THEN 'open' ELSE 'paid' END, number, CASE WHEN n %% 50 = 0 THEN 'archived' ELSE 'desk' END,
    lower(concat_ws(' ', number, title, payer.name, payer.email, 'po-' || n, (minor / 100) || '.' || lpad((minor %% 100)::text, 2, '0'))),
    at, at + (n %% 60) * interval '1 day', at, at, CASE WHEN n %% 3 = 0 THEN NULL ELSE at + interval '1 day' END, '', '{}', 0, 'rate',
    CASE WHEN n %% 3 = 0 THEN 0 ELSE minor END, CASE WHEN n %% 300 = 0 THEN minor ELSE 0 END, 0, 0, 0, 0, false, n %% 97 = 1, false, '', '{}', true
FROM (
    SELECT n, 'Work ' || n || ' for the harbour' AS title, 'INV-' || lpad(n::text, 6, '0') AS number,
        (ARRAY['EUR', 'USD', 'JPY'])[1 + n %% 3] AS currency,
        1000 + (n * 7919 %% 500000) AS minor, %(now)s - ((%(last)s - n) %% 1000) * interval '1 hour' AS at
    FROM generate_series(%(first)s, %(last)s) AS n
) AS written
JOIN (SELECT id, name, email, row_number() OVER (ORDER BY id) - 1 AS place FROM invoicing_payer WHERE merchant_id = %(merchant)s) AS payer
    ON payer.place = written.n %% %(payers)s
"""


def fill(merchant: Any, first: int, last: int) -> None:
    """Issued invoices number `first` to `last`, in one statement, with payers of the directory."""
    from django.db import connection

    from invoicing.models import Payer
    from tests.factories import NOW

    if not Payer.objects.filter(merchant=merchant).exists():
        Payer.objects.bulk_create(
            Payer(merchant=merchant, name=f"{NAMES[place % len(NAMES)]} {place}", email=f"payer{place}@duarte.example") for place in range(PAYERS)
        )
    with connection.cursor() as cursor:
        cursor.execute(ROWS, {"merchant": merchant.pk, "first": first, "last": last, "payers": PAYERS, "now": NOW})


NAMES = ("Duarte", "Kobayashi", "Nordlicht", "Mistral", "Okonkwo", "Marlow", "Lindqvist")


@contextlib.contextmanager
def without_indexes() -> Iterator[None]:
    """The indexes that are not unique, built after the rows: how one restores a dump."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'invoicing_invoice' AND indexdef NOT LIKE 'CREATE UNIQUE%'")
        indexes = cursor.fetchall()
        for name, _definition in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
        yield
        cursor.execute("SET maintenance_work_mem = '512MB'")
        for _name, definition in indexes:
            cursor.execute(definition)
        cursor.execute("RESET maintenance_work_mem")


def pages() -> None:
    """The same pages at three sizes. Each size is a database; they take turns, so that a busy machine is busy for all of them."""
    from django.test import Client

    from tests import factories

    owner = factories.make_user()
    merchant = factories.make_merchant(owner)
    client = Client()
    client.force_login(owner)
    began = time.perf_counter()
    fill(merchant, 1, FEW)
    settle_down()
    copy("few")
    with without_indexes():
        fill(merchant, FEW + 1, MANY)
    settle_down()
    copy("many")
    others = [factories.make_merchant(slug=f"other-{place}") for place in range(OTHERS)]
    with without_indexes():
        for other in others:
            fill(other, 1, (ALL - MANY) // OTHERS)
    settle_down()
    say(f"\n{FEW:,}, {MANY:,} of one merchant, and {ALL:,} in all: filled in", f"{time.perf_counter() - began:.0f} s")
    print(f"{'page':<32} {'invoices':>10} {'p50':>9} {'p95':>9} {'bare p50':>10}  ratio", flush=True)
    found = {name: measure(client, name, *page) for name, page in asked(merchant).items()}
    print(flush=True)
    for name in STEADY:
        for count in (MANY, ALL):
            bound(f"{name}: p50 at {count:,} over {FEW:,}", found[name][count] / found[name][FEW], SHARE)
    for count in (MANY, ALL):
        bound(f"totals: p50 at {count:,}, ms", found["totals"][count], TOTALS_MS)


SIZES = {FEW: "few", MANY: "many", ALL: MAIN}
STEADY = ("list", "list, by amount", "filtered list", "search, a number", "search, a payer", "search, a payer and an amount")
TURNS, PER_TURN = 6, 5


def asked(merchant: Any) -> dict[str, tuple[str, Any]]:
    """Page → its path, and the bare keyset query of the same rows."""
    from invoicing.models import Invoice, Payer
    from invoicing.models.invoice import ISSUE_TIME, NEWEST
    from merchants import clock

    base = f"/m/{merchant.slug}/"
    mine = Invoice.objects.filter(merchant=merchant, shelf="desk")
    payer = Payer.objects.filter(merchant=merchant).order_by("id")[1]
    overdue = mine.filter(status="open", pending_minor=0, due_at__lte=clock.now())
    kobayashi = mine.filter(payer_name__startswith="Kobayashi")
    few_of_them = {"payer": payer, "status": "paid"}
    return {
        "list": (base + "invoices/", mine.order_by(NEWEST)),
        "list, by amount": (base + "invoices/?sort=-amount", mine.order_by("-currency", "-total_minor", "-id")),
        "filtered list": (
            base + f"invoices/?show=paid&payer={payer.pk}&from=2026-10-15",
            mine.filter(**few_of_them).order_by(ISSUE_TIME.desc(), "-id"),
        ),
        "filtered list, overdue": (base + "invoices/?show=overdue", overdue.order_by(NEWEST)),
        "search, a number": (base + "invoices/?q=INV-001234", mine.filter(number="INV-001234").order_by(NEWEST)),
        "search, a payer": (base + "invoices/?q=Kobayashi", kobayashi.order_by(NEWEST)),
        "search, a payer and an amount": (base + "invoices/?q=kobayashi+1197.85", kobayashi.filter(total_minor=119785).order_by(NEWEST)),
        "totals": (base + "invoices/sums/", mine.order_by(NEWEST)),
        "totals of a search": (base + "invoices/sums/?q=Kobayashi", mine.order_by(NEWEST)),
        "overview": (base, mine.order_by(NEWEST)),
    }


def measure(client: Any, name: str, path: str, rows: Any) -> dict[int, float]:
    """p50 of the page at each size, printed with p95 beside what its rows cost without anything around them."""
    took: dict[int, list[float]] = {count: [] for count in SIZES}
    bare: dict[int, list[float]] = {count: [] for count in SIZES}
    for _turn in range(TURNS):
        for count, database in SIZES.items():
            use(database)
            opened(client, path)  # a new connection is not what is measured
            for _round in range(PER_TURN):
                took[count].append(timed(lambda: opened(client, path)))
                bare[count].append(timed(lambda: list(rows.values()[:26])))
    for count in SIZES:
        p50, p95, alone = statistics.median(took[count]), statistics.quantiles(took[count], n=20)[-1], statistics.median(bare[count])
        print(f"{name:<32} {count:>10,} {p50:>6.1f} ms {p95:>6.1f} ms {alone:>7.1f} ms {p50 / alone:>6.1f}", flush=True)
    return {count: statistics.median(times) for count, times in took.items()}


def opened(client: Any, path: str) -> None:
    assert client.get(path).status_code == 200, path
