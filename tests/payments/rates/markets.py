"""Kraken, Coinbase, CoinGecko and the ECB on one free loopback port, in the shapes that they answer in.

with Markets() as markets:
    markets.set("ETH", "USD", "3000")                # everywhere
    markets.set("ETH", "USD", "3010", only="kraken")
    settings.RATE_SOURCES = markets.sources()        # or RATE_SOURCES=",".join(…) in the environment of a stack
    markets.says["coinbase"] = Says(status=503)      # from now on, whatever it is asked
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

NAMES = ("kraken", "coinbase", "coingecko", "ecb")
COINS = {
    "bitcoin": "BTC",
    "ethereum": "ETH",
    "litecoin": "LTC",
    "tether": "USDT",
    "usd-coin": "USDC",
    "binancecoin": "BNB",
    "polygon-ecosystem-token": "POL",
}
CODES = {"XBT": "BTC", "XDG": "DOGE"}
# How Kraken answers what is asked for as XBTUSD; what is not here keeps its name.
LONG = {"XBT": "XXBT", "ETH": "XETH", "LTC": "XLTC", "EUR": "ZEUR", "GBP": "ZGBP"}
Pair = tuple[str, str]


@dataclass
class Says:
    """An answer that is given whatever was asked."""

    status: int = 200
    body: bytes = b""
    after_seconds: float = 0.0
    headers: tuple[tuple[str, str], ...] = ()


class Markets:
    def __init__(self) -> None:
        self.prices: dict[str, dict[Pair, str]] = {name: {} for name in NAMES}
        self.says: dict[str, Says] = {}
        self.asked: list[str] = []  # paths with their queries, as they came
        self.at: datetime | None = None  # what CoinGecko says of its prices' age, and the ECB's day; None: now
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def set(self, name: str, currency: str, value: str, *, only: str = "") -> None:
        """One of `name` is worth `value` of `currency`, everywhere or at one of the four. The ECB knows what one EUR is."""
        for source in (only,) if only else NAMES:
            self.prices[source][name, currency] = value

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{name}"

    def sources(self, *names: str) -> list[str]:
        """Items of RATE_SOURCES: those named, or all."""
        return [f"{name}={self.url(name)}" for name in names or NAMES]

    def moment(self) -> datetime:
        return self.at or datetime.now(UTC)

    def asked_of(self, name: str) -> list[str]:
        return [path for path in self.asked if path.startswith(f"/{name}/")]

    def __enter__(self) -> Markets:
        self._thread.start()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)

    def answer(self, path: str) -> Says:
        place = urlsplit(path)
        _empty, source, rest = place.path.split("/", 2)
        if source in self.says:
            return self.says[source]
        query = {name: values[0] for name, values in parse_qs(place.query).items()}
        match source, f"/{rest}":
            case "kraken", "/0/public/Ticker":
                return Says(body=kraken(self.prices["kraken"], query.get("pair", "")))
            case "coinbase", "/v2/exchange-rates":
                return coinbase(self.prices["coinbase"], query["currency"])
            case "coingecko", "/api/v3/simple/price":
                return Says(body=coingecko(self.prices["coingecko"], query["ids"], query["vs_currencies"], self.moment()))
            case "ecb", "/stats/eurofxref/eurofxref-daily.xml":
                return Says(body=ecb(self.prices["ecb"], self.moment().date()))
        return Says(404, b"Not here")


def kraken(prices: dict[Pair, str], asked: str) -> bytes:
    """The long names where it uses them; one pair that it does not trade, and nothing is answered."""
    result = {}
    for pair in asked.split(","):
        code, currency = pair[:-3], pair[-3:]
        value = prices.get((CODES.get(code, code), currency))
        if value is None:
            return json.dumps({"error": ["EQuery:Unknown asset pair"]}).encode()
        is_long = code in LONG and currency in ("USD", "EUR", "GBP", "CAD", "JPY")
        result[f"{LONG[code]}Z{currency}" if is_long else pair] = ticker(value)
    return json.dumps({"error": [], "result": result}).encode()


def ticker(last: str, *, bid: str = "", ask: str = "") -> dict[str, object]:
    return {
        "a": [ask or last, "1", "1.000"],
        "b": [bid or last, "1", "1.000"],
        "c": [last, "0.00100000"],
        "v": ["100.0", "200.0"],
        "p": [last, last],
        "t": [10, 20],
        "l": [last, last],
        "h": [last, last],
        "o": last,
    }


def coinbase(prices: dict[Pair, str], base: str) -> Says:
    rates = {currency: value for (name, currency), value in prices.items() if name == base}
    if not rates:
        return Says(400, json.dumps({"errors": [{"id": "invalid_request", "message": "Invalid base currency"}]}).encode())
    return Says(body=json.dumps({"data": {"currency": base, "rates": {base: "1", **rates}}}).encode())


def coingecko(prices: dict[Pair, str], ids: str, currencies: str, at: datetime) -> bytes:
    """Numbers, not text, and written as they were set."""
    coins = []
    for coin in ids.split(","):
        found = {currency: prices.get((COINS.get(coin, ""), currency.upper())) for currency in currencies.split(",")}
        cells = [f'"{currency}":{value}' for currency, value in found.items() if value is not None]
        if cells:
            coins.append(f'"{coin}":{{{",".join(cells)},"last_updated_at":{int(at.timestamp())}}}')
    return f"{{{','.join(coins)}}}".encode()


def ecb(prices: dict[Pair, str], day: date) -> bytes:
    rows = "".join(f"<Cube currency='{currency}' rate='{value}'/>" for (name, currency), value in prices.items() if name == "EUR")
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
<gesmes:subject>Reference rates</gesmes:subject><gesmes:Sender><gesmes:name>European Central Bank</gesmes:name></gesmes:Sender>
<Cube><Cube time='{day.isoformat()}'>{rows}</Cube></Cube></gesmes:Envelope>""".encode()


def _handler(markets: Markets) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            markets.asked.append(self.path)
            said = markets.answer(self.path)
            if said.after_seconds:
                time.sleep(said.after_seconds)
            try:
                self.send_response(said.status)
                for name, value in (("Content-Length", str(len(said.body))), *said.headers):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(said.body)
            except (BrokenPipeError, ConnectionResetError):
                return  # it did not wait, as it should

        def log_message(self, *_arguments: object) -> None:
            """Nothing: the test looks at `asked`."""

    return Handler
