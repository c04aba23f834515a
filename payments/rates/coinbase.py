"""Coinbase's exchange rates (https://docs.cdp.coinbase.com/coinbase-app/track-apis/exchange-rates).

One question per base: what one of it is worth in every currency, as text. It gives no time.
"""

from __future__ import annotations

from datetime import datetime

from payments.rates import figures
from payments.rates.base import Prices, Quoted, SourceFailed, Wanted
from payments.rates.web import Web

PATH = "/v2/exchange-rates"


def parse(body: bytes) -> Prices:
    """All prices of the base that the answer names."""
    data = figures.load(body, Coinbase.label).get("data")
    base, rates = (data.get("currency"), data.get("rates")) if isinstance(data, dict) else (None, None)
    if not isinstance(base, str) or not isinstance(rates, dict):
        return {}
    prices = {(base, currency): figures.price(written) for currency, written in rates.items()}
    return {pair: value for pair, value in prices.items() if value is not None}


class Coinbase:
    label = "Coinbase"
    url = "https://api.coinbase.com"

    def ask(self, web: Web, wanted: Wanted, *, now: datetime) -> list[Quoted]:
        found: Prices = {}
        failure: SourceFailed | None = None
        for base in (*wanted.names, *wanted.fiats):
            try:
                found |= {pair: value for pair, value in parse(web.get(PATH, currency=base)).items() if pair[0] == base}
            except SourceFailed as error:  # often it does not know this one; if it is away, it need not be asked for the others
                failure = error
                if error.is_away:
                    break
        if failure and not found:
            raise failure
        asked_for = set(wanted.pairs())
        return [Quoted(self.label, name, currency, value, now) for (name, currency), value in found.items() if (name, currency) in asked_for]
