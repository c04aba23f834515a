from __future__ import annotations

from invoicing import pdf
from tests.bench.measuring import milliseconds, say
from tests.factories import NOW, make_draft, make_merchant, publish


def printing() -> None:
    invoice = publish(make_draft(make_merchant(slug="printing")), now=NOW)
    p50, p95 = milliseconds(lambda: pdf.render(invoice, "invoice"), rounds=10)
    say("an invoice of one page as PDF, p50 and p95", f"{p50:.0f} ms, {p95:.0f} ms")
