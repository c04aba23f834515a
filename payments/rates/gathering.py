"""Once a minute: every source is asked, what they agree on is stored.

The sources are asked side by side and outside any transaction: one that fails or is slow stops no other. What is decided
is decided inside one transaction over the stored prices, so that two workers at once do what one after the other would.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from invoicing.models import Invoice, Status
from merchants.assets import catalogue
from merchants.models import Merchant
from payments.models import PastPrices, Price
from payments.rates import agree
from payments.rates.agree import Agreed, Refused
from payments.rates.base import MAX_AGE, Feed, Pair, Quoted, SourceFailed, Wanted
from payments.rates.coinbase import Coinbase
from payments.rates.coingecko import CoinGecko
from payments.rates.ecb import Ecb
from payments.rates.kraken import Kraken
from payments.rates.web import DEADLINE, Web

logger = logging.getLogger(__name__)

FEEDS: dict[str, type[Feed]] = {"kraken": Kraken, "coinbase": Coinbase, "coingecko": CoinGecko, "ecb": Ecb}
BRIDGES = ("USD", "EUR")  # what a price is crossed by, the first that has both parts
PAST_EVERY = timedelta(minutes=5)
PAST_KEPT = timedelta(days=40)
LATE = timedelta(seconds=30)  # how much a tick may be early and still be the next one
REASON = 200  # characters
Decided = dict[Pair, Agreed | Refused]


def configured(listed: Iterable[str]) -> list[tuple[Feed, str]]:
    """The feeds that RATE_SOURCES names, and where each is asked. ImproperlyConfigured for what is none, or named twice."""
    found: dict[str, tuple[Feed, str]] = {}
    for item in listed:
        name, _equals, url = (part.strip() for part in item.partition("="))
        if name not in FEEDS:
            raise ImproperlyConfigured(f"RATE_SOURCES names {name!r}. There are {', '.join(FEEDS)}.")
        if name in found:
            raise ImproperlyConfigured(f"RATE_SOURCES names {name} twice; a source cannot agree with itself.")
        feed = FEEDS[name]()
        place = urlsplit(url or feed.url)
        if place.scheme not in ("http", "https") or not place.hostname:
            raise ImproperlyConfigured(f"RATE_SOURCES: the address of {name} is not http:// or https://.")
        found[name] = feed, url or feed.url
    return list(found.values())


def refresh(*, now: datetime) -> Decided | None:
    """Ask, decide, store. What was decided by pair; None when no live merchant needs a price, and nobody was asked."""
    if not is_needed():
        return None
    wanted = what_is_wanted()
    quotes = ask_all(configured(settings.RATE_SOURCES), wanted, now=now)
    return _store(wanted, quotes, now)


def is_needed() -> bool:
    """Whether a live merchant accepts an asset, or still has an open invoice that does."""
    live = Merchant.objects.filter(is_test=False)
    return live.exclude(accepted_assets=[]).exists() or Invoice.objects.filter(merchant__is_test=False, status=Status.OPEN).exists()


def what_is_wanted() -> Wanted:
    """The names of the catalogue's assets in all its currencies, and of the currencies that are pegs and bridges."""
    served = [asset for asset in catalogue().assets.values() if asset.network.enabled and not asset.network.test]
    names = dict.fromkeys(asset.price for asset in served)
    fiats = dict.fromkeys([*BRIDGES, *(asset.peg for asset in served if asset.peg)])
    return Wanted(tuple(names), tuple(fiats), tuple(dict.fromkeys([*catalogue().currencies, *BRIDGES])))


def ask_all(feeds: list[tuple[Feed, str]], wanted: Wanted, *, now: datetime) -> list[Quoted]:
    """What all of them say; a warning in the log for each that says nothing."""
    if not feeds:
        return []
    pool = ThreadPoolExecutor(max_workers=len(feeds), thread_name_prefix="rates")
    try:
        asked = {pool.submit(_ask, feed, url, wanted, now): feed.label for feed, url in feeds}
        done, _late = wait(asked, timeout=DEADLINE + 10)
        return [quote for future, label in asked.items() for quote in _answer(future, label, future in done)]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _ask(feed: Feed, url: str, wanted: Wanted, now: datetime) -> list[Quoted]:
    with Web(feed.label, url) as web:
        return feed.ask(web, wanted, now=now)


def _answer(future: Future[list[Quoted]], label: str, is_done: bool) -> list[Quoted]:
    if not is_done:
        logger.warning("Prices: %s did not finish in time.", label)
        return []
    try:
        return future.result()
    except SourceFailed as failure:
        logger.warning("Prices: %s", failure)
    except Exception:
        logger.exception("Prices: the answer of %s could not be read", label)
    return []


def decide_all(wanted: Wanted, quotes: Iterable[Quoted], last: dict[Pair, Decimal], *, now: datetime) -> Decided:
    """Each pair by its own quotes; a name that no source quotes in a currency, or one alone with a jump, by a bridge."""
    by_pair: dict[Pair, list[Quoted]] = defaultdict(list)
    for quote in quotes:
        by_pair[quote.name, quote.currency].append(quote)
    direct = {pair: agree.decide(by_pair[pair], last=last.get(pair), now=now) for pair in wanted.pairs()}
    return {pair: _crossed(pair, direct) if pair[0] in wanted.names else found for pair, found in direct.items()}


def _crossed(pair: Pair, direct: Decided) -> Agreed | Refused:
    """What the sources say of `pair` itself, if only that they disagree; else by the first bridge of which both parts are known."""
    name, currency = pair
    found = direct[pair]
    if isinstance(found, Agreed) or not (found.is_silence or found.is_jump):
        return found
    for bridge in BRIDGES:
        price, cross = direct.get((name, bridge)), direct.get((bridge, currency))
        if isinstance(price, Agreed) and isinstance(cross, Agreed):
            return agree.crossed(price, cross)
    return found


def _store(wanted: Wanted, quotes: list[Quoted], now: datetime) -> Decided:
    with transaction.atomic():
        kept = _locked(wanted)
        last = {pair: Decimal(row.value) for pair, row in kept.items() if row.value}
        decided = decide_all(wanted, quotes, last, now=now)
        rows = [row for pair, found in sorted(decided.items()) if (row := _row(pair, found, kept.get(pair), now))]
        columns = ["value", "source", "at", "refused"]
        Price.objects.bulk_create(rows, update_conflicts=True, unique_fields=["name", "currency"], update_fields=columns)
        _keep_past(decided, now)
    return decided


def _locked(wanted: Wanted) -> dict[Pair, Price]:
    """The stored prices, held to the end of the transaction: what is decided against the last good one is written before
    another worker decides."""
    rows = Price.objects.select_for_update().filter(name__in=(*wanted.names, *wanted.fiats)).order_by("id")
    return {(row.name, row.currency): row for row in rows}


def _row(pair: Pair, found: Agreed | Refused, kept: Price | None, now: datetime) -> Price | None:
    """The row of a pair as it is from now on; None when it stays as it is. A refused one keeps its last good value."""
    name, currency = pair
    if isinstance(found, Agreed):
        return Price(name=name, currency=currency, value=format(found.value, "f"), source=found.source, at=found.at)
    if kept is None:
        return None if found.is_silence else Price(name=name, currency=currency, value="", source="", at=now, refused=found.reason[:REASON])
    if found.is_silence and not kept.refused and now - kept.at <= MAX_AGE:
        return None  # it was good a moment ago, and ages by itself
    return Price(name=name, currency=currency, value=kept.value, source=kept.source, at=kept.at, refused=found.reason[:REASON])


def _keep_past(decided: Decided, now: datetime) -> None:
    """Every five minutes, in the currencies that live merchants use; those of 40 days ago go."""
    recent = set(PastPrices.objects.filter(at__gt=now - PAST_EVERY + LATE).values_list("name", flat=True))
    currencies = _in_use()
    values: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for (name, currency), found in decided.items():
        if isinstance(found, Agreed) and currency in currencies and name not in recent:
            values[name][currency] = [format(found.value, "f"), found.source]
    if not values:
        return
    PastPrices.objects.bulk_create([PastPrices(name=name, at=now, values=values[name]) for name in sorted(values)], ignore_conflicts=True)
    PastPrices.objects.filter(at__lt=now - PAST_KEPT).delete()


def _in_use() -> set[str]:
    chosen = Merchant.objects.filter(is_test=False).values_list("currency", flat=True).distinct()
    owed = Invoice.objects.filter(merchant__is_test=False, status=Status.OPEN).values_list("currency", flat=True).distinct()
    return {*BRIDGES, *chosen, *owed}


def forget(price: Price) -> None:
    """The last good price counts no more: whichever source answers next is believed, though it be alone."""
    Price.objects.filter(pk=price.pk).delete()
