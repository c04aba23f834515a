"""From a mined block to 'seen' on the payer's page, on everything that `make run` starts."""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import requests
from django.conf import settings

from config.celery import BEAT
from config.env import ROOT
from invoicing.models import Invoice
from merchants import clock
from payments import quotes, wallets
from tests.bench.measuring import CLEAN, MAIN, bound, copy, drop, missed, say, use
from tests.bench.watching import node
from tests.chains import evm
from tests.chains.anvil import Anvil
from tests.chains.evm_story import PRICES
from tests.factories import make_draft, make_merchant, publish
from tests.payments.prices import set_prices
from tests.stack import Stack

PAYMENTS = 10
PAGE_SECONDS = 0.2  # how often the page is asked here; a browser asks every three seconds
BEAT_SECONDS = BEAT["payments.tasks.watch_networks"][0]
LIMIT = 2.0
PATIENCE = 60.0
DATABASE = "seen"
UNBUILT = "the static files are not collected: make static"


@dataclass(frozen=True)
class Asked:
    """A page that waits for a payment."""

    path: str
    address: str
    units: int


def seeing() -> None:
    if not (ROOT / "staticfiles" / "staticfiles.json").exists():
        missed.append(UNBUILT)
        return
    with node() as anvil:
        if anvil is None:
            return
        copy(DATABASE, of=CLEAN)
        try:
            use(DATABASE)
            pages = _prepare(anvil)
            use(MAIN)
            with Stack(**_environment()) as stack:
                _say([_seen(stack, anvil, number, page) for number, page in enumerate(pages)])
        finally:
            use(MAIN)
            drop(DATABASE)


def _environment() -> dict[str, str]:
    """The stack on this process's database and networks; prices are set, and their sources nowhere."""
    url = os.environ["TEST_DATABASE_URL"]
    return {
        "DJANGO_SETTINGS_MODULE": "tests.live_settings",
        "DATABASE_URL": url.rpartition("/")[0] + "/" + DATABASE,
        "NETWORKS_FILE": str(settings.NETWORKS_FILE),
        "RATE_SOURCES": "kraken=http://127.0.0.1:1",
        "LOG_LEVEL": "ERROR",
    }


def _prepare(anvil: Anvil) -> list[Asked]:
    now = clock.now()
    anvil.mine(at=now)
    set_prices("EUR", PRICES, at=now)
    merchant = make_merchant(slug="seen", is_test=False)
    wallets.connect_key(merchant, family="evm", spec=f"evm:{evm.XPUBS[1]}", name="Key", by=None, now=now)
    return [_asked(publish(make_draft(merchant, now=now), now=now), anvil) for _invoice in range(PAYMENTS)]


def _asked(invoice: Invoice, anvil: Anvil) -> Asked:
    quote = quotes.ask(invoice, evm.usdt(anvil), now=clock.now())
    return Asked(f"/i/{invoice.public_id}/pay/status/", quote.receive_address.address, quote.amount_units)


def _seen(stack: Stack, anvil: Anvil, number: int, page: Asked) -> float:
    """Seconds from the block to the page that says so."""
    browser = requests.Session()
    browser.trust_env = False
    assert _stage(browser, stack, page) == "quoted"
    anvil.pay(page.address, page.units, token=anvil.usdt)
    time.sleep(BEAT_SECONDS * number / PAYMENTS)  # at any moment between two beats
    anvil.mine(at=datetime.now(UTC))
    mined = time.perf_counter()
    while _stage(browser, stack, page) != "confirming":
        assert time.perf_counter() - mined < PATIENCE, stack.said()[-3000:]
        time.sleep(PAGE_SECONDS)
    took = time.perf_counter() - mined
    browser.close()
    return took


def _stage(browser: requests.Session, stack: Stack, page: Asked) -> str:
    answer = browser.get(stack.url + page.path, timeout=20)
    assert answer.status_code == 200, answer.status_code
    return answer.text.partition('data-stage="')[2].partition('"')[0]


def _say(seconds: list[float]) -> None:
    bare = BEAT_SECONDS + PAGE_SECONDS
    p50, most = statistics.median(seconds), max(seconds)
    say("\nfrom a mined block to 'seen' on the payer's page, p50 and max", f"{p50:.1f} s, {most:.1f} s")
    say("the intervals of beat and page alone, at most", f"{bare:.1f} s")
    bound("a block to 'seen': p50 over those intervals", p50 / bare, LIMIT)
