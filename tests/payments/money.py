"""An invoice of 100.00 EUR on the sandbox, and the chain under it, for tests of the payments floor."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from invoicing.models import Invoice
from merchants.models import Event, Merchant
from payments import quotes, watcher
from payments.models import Quote, Transfer
from payments.rails import sandbox
from tests.factories import NOW, make_draft, publish

NETWORK = "sandbox:harbour"
USDT = "sandbox:harbour/token:usdt"
ETH = "sandbox:harbour/slip44:60"
BTC = "sandbox:harbour/slip44:0"


class Story:
    """An open invoice, a chain, and a clock of its own: each step takes five seconds."""

    def __init__(self, merchant: Merchant, *, price: str = "100.00", **fields: Any) -> None:
        self.now: datetime = NOW
        self.start_chain()
        self.invoice: Invoice = publish(make_draft(merchant, lines=[("Work", "1", price)], **fields), now=self.now)

    def start_chain(self) -> None:
        sandbox.mine(now=self.now)

    def quote(self, asset: str = USDT) -> Quote:
        return quotes.ask(self.fresh(), asset, now=self.now)

    def pay(self, asset: str = USDT, *, units: int | None = None, quote: Quote | None = None) -> str:
        quote = quote or self.quote(asset)
        return sandbox.pay(quote.receive_address.address, quote.asset_id, quote.amount_units if units is None else units, now=self.now).txid

    def blocks(self, count: int = 1) -> Invoice:
        for _block in range(count):
            self.now += timedelta(seconds=5)
            sandbox.mine(now=self.now)
            watcher.read(NETWORK, now=self.now)
        return self.fresh()

    def look(self) -> Invoice:
        watcher.read(NETWORK, now=self.now)
        return self.fresh()

    def fresh(self) -> Invoice:
        self.invoice.refresh_from_db()
        return self.invoice

    def transfers(self) -> list[Transfer]:
        return list(self.invoice.transfers.order_by("id"))

    def kinds(self) -> list[str]:
        return list(Event.objects.filter(subject_kind="invoice", subject_id=self.invoice.pk).order_by("id").values_list("kind", flat=True))
