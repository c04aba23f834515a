"""Transfers seen, final and settled in one pass of the sandbox, beside the bare rows."""

from __future__ import annotations

import time

from django.db import connection, transaction

from invoicing.models import Invoice
from payments import quotes, watcher
from payments.models import Transfer
from payments.rails import sandbox
from tests.bench.measuring import milliseconds, say
from tests.factories import NOW, make_draft, make_merchant, publish
from tests.payments.money import NETWORK, USDT

COUNT = 200


def settling() -> None:
    merchant = make_merchant(slug="settling")
    sandbox.mine(now=NOW)
    began = time.perf_counter()
    invoices = [publish(make_draft(merchant), now=NOW) for _invoice in range(COUNT)]
    say("invoices written and issued", f"{COUNT / (time.perf_counter() - began):.0f} /s")
    for invoice in invoices:
        quote = quotes.ask(invoice, USDT, now=NOW)
        sandbox.pay(quote.receive_address.address, USDT, quote.amount_units, now=NOW)
    for _block in range(3):
        sandbox.mine(now=NOW)
    began = time.perf_counter()
    watcher.read(NETWORK, now=NOW)
    seconds = time.perf_counter() - began
    assert Invoice.objects.filter(merchant=merchant, status="paid").count() == COUNT
    bare = _bare_rows()
    say("transfers seen, final and settled in one pass", f"{COUNT / seconds:.0f} /s; a row and its sum alone {COUNT / bare:.0f} /s")
    idle, _p95 = milliseconds(lambda: watcher.read(NETWORK, now=NOW), rounds=10)
    say(f"a pass over {COUNT} watched addresses with nothing new, p50", f"{idle:.1f} ms")


def _bare_rows() -> float:
    """Seconds for as many rows as those of the transfers, with their indexes, and a sum raised on each one's invoice, in a transaction each."""
    rows = list(Transfer.objects.order_by("id").values_list("pk", "invoice_id"))
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bare_transfer (LIKE payments_transfer INCLUDING INDEXES)")
        began = time.perf_counter()
        for transfer, invoice in rows:
            with transaction.atomic():
                cursor.execute("INSERT INTO bare_transfer SELECT * FROM payments_transfer WHERE id = %s", [transfer])
                cursor.execute("UPDATE invoicing_invoice SET credited_minor = credited_minor + 0 WHERE id = %s", [invoice])
        seconds = time.perf_counter() - began
        cursor.execute("DROP TABLE bare_transfer")
    return seconds
