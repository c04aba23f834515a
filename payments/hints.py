"""'I have paid': what a payer says. It wakes the watcher, and helps the merchant to find the payment; it credits nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from invoicing.models import Invoice
from merchants import assets, haste
from merchants.assets import Network
from payments import balances, quotes, txids
from payments.models import Hint, ReceiveAddress, Transfer

MOST = 20  # transactions of one invoice
TRIED_FOR = timedelta(minutes=10)  # so long each pass looks for the transaction
TRIED_A_PASS = 10
WATCH = "payments.tasks.watch_network"


class CannotSay(Exception):
    """This is no transaction id, or enough was said; the text says which, for the payer."""


def say(invoice: Invoice, *, txid: str, now: datetime) -> list[Hint]:
    """Write down that the payer has paid, with a transaction id or (empty) without; on every network it can mean.

    The next pass over those networks looks again, at balances too, and it comes at once. CannotSay when `txid` is none on any
    network of the invoice, or was the twenty-first.
    """
    meant = _meant(invoice, txid)
    if not meant:
        raise CannotSay(_("This is no transaction id. It stands in your wallet, at the payment’s details: copy all of it."))
    known = set(Hint.objects.filter(invoice=invoice).values_list("txid", flat=True))
    if len(known | {spelt for _network, spelt in meant}) > max(MOST, len(known)):
        raise CannotSay(_("You have told us of many transactions already. Write to %(name)s instead.") % {"name": invoice.merchant_name})
    with transaction.atomic():
        hints = [_keep(invoice, network, spelt, now) for network, spelt in meant]
        places = ReceiveAddress.objects.filter(invoice=invoice).values_list("pk", flat=True)
        balances.hurry(list(places), networks=[network.id for network, _spelt in meant], now=now)
        for network, _spelt in meant:
            transaction.on_commit(partial(haste.wake, WATCH, network.id), robust=True)
    return hints


def _keep(invoice: Invoice, network: Network, txid: str, now: datetime) -> Hint:
    return Hint.objects.update_or_create(invoice=invoice, network=network.id, txid=txid, defaults={"given_at": now})[0]


def _meant(invoice: Invoice, txid: str) -> list[tuple[Network, str]]:
    """The networks on which this is a transaction id, with its spelling there. Without one: that of the latest quote."""
    text = txid.strip()
    if not text:
        asked = quotes.latest(invoice)
        asset = assets.catalogue().assets.get(asked.asset_id) if asked else None
        return [(asset.network, "")] if asset else []
    networks = list({asset.network.id: asset.network for asset in quotes.offered(invoice)}.values())
    found = ((network, txids.spelt(network.id, text)) for network in networks)
    return [(network, spelt) for network, spelt in found if spelt]


def to_try(network: Network, *, now: datetime) -> list[tuple[str, list[str]]]:
    """Transaction ids that were given lately and are not found yet, each with its invoice's own addresses. At a fixed address
    everybody's payments arrive: there a transaction id proves nothing."""
    lately = Hint.objects.filter(network=network.id, given_at__gt=now - TRIED_FOR).exclude(txid="").order_by("-given_at")
    hints = list(lately.values_list("txid", "invoice")[: TRIED_A_PASS * 2])
    if not hints:
        return []
    seen = _seen(network, [txid for txid, _invoice in hints])
    own: dict[int, list[str]] = {}
    rows = ReceiveAddress.objects.filter(invoice__in={invoice for _txid, invoice in hints}, family=network.family)
    for invoice, address in rows.values_list("invoice", "address"):
        own.setdefault(invoice or 0, []).append(address)
    return [(txid, own[invoice]) for txid, invoice in hints if (txid, invoice) not in seen and invoice in own][:TRIED_A_PASS]


def _seen(network: Network, txids: list[str]) -> set[tuple[str, int | None]]:
    known: QuerySet[Transfer] = Transfer.objects.filter(network=network.id, txid__in=txids).exclude(status=Transfer.State.DROPPED)
    return set(known.values_list("txid", "invoice"))


def given(invoice: Invoice) -> list[Hint]:
    """What its payers said, the latest first."""
    return list(Hint.objects.filter(invoice=invoice).order_by("-given_at", "-id"))
