"""What a pass of the watcher means: whose each payment is, and what it changes. Everything about one owner is one transaction."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from invoicing import lifecycle
from merchants.assets import Network
from payments import cursors, matching, settlement, transfers, unexplained
from payments.matching import Asked, Exact, Key, Owner, Spot
from payments.models import BalanceLook, Cursor, Quote, ReceiveAddress, Transfer
from payments.rails import Balance, Sighting
from payments.scanning import Found

logger = logging.getLogger(__name__)

IN_ONE_QUERY = 5000


@dataclass
class Work:
    """What a pass found for one owner."""

    seen: list[Sighting] = field(default_factory=list)
    gone: list[Transfer] = field(default_factory=list)
    looks: list[tuple[BalanceLook, Balance]] = field(default_factory=list)


def apply_all(network: Network, cursor: Cursor, found: Found, *, now: datetime) -> tuple[int, list[Owner]]:
    """How many owners' money changed, and those whose could not be settled: one bad payment holds up nobody else's."""
    work = _work(network, found)
    spots = {found.watched[one.address].address_id for _owner, part in work for one in part.seen}
    places = {row.address: row for row in ReceiveAddress.objects.filter(pk__in=spots).select_related("wallet")} if spots else {}
    changed, failed = 0, []
    for owner, part in work:
        if not cursors.is_held(cursor):
            logger.warning("The pass over %s took too long; another worker has it now.", network.name)
            break
        try:
            changed += _apply(owner, part, places, network, found, now)
        except Exception:
            logger.exception("The money of %s could not be settled", owner)
            failed.append(owner)
    return changed, failed


def _work(network: Network, found: Found) -> list[tuple[Owner, Work]]:
    """By owner; what would change nothing is left out. First come those who lose a payment to another owner, since it is
    withdrawn before it is given to anybody."""
    rows = {(row.txid, row.place): row for row in found.known}
    news = [one for key, one in found.seen.items() if key not in rows or not transfers.is_as_known(rows[key], one, found.tip, found.source)]
    rows |= _seen_before(network, [one for one in news if one.key not in rows])
    others = {one.key: rows[one.key] for one in news if one.key in rows and transfers.is_another(rows[one.key], one)}
    known = {key: row.invoice_id for key, row in rows.items() if key not in others}
    asked = _asked(found.watched, [one for one in news if found.watched[one.address].invoice_id is None])
    losing: dict[Owner, Work] = defaultdict(Work)
    work: dict[Owner, Work] = defaultdict(Work)
    for one in news:
        whose = matching.owner(one, found.watched[one.address], rail=network.rail, known=known, asked=asked)
        work[whose].seen.append(one)
        was = others.get(one.key)
        if was is not None and was.status != Transfer.State.DROPPED:
            (work if _owner_of(was) == whose else losing)[_owner_of(was)].gone.append(was)
    for row in found.gone:
        work[_owner_of(row)].gone.append(row)
    for look, balance in found.looks:
        work[Owner.of(look.address.invoice_id, look.address_id)].looks.append((look, balance))
    return [(owner, part[owner]) for part in (losing, work) for owner in sorted(part)]


def _owner_of(row: Transfer) -> Owner:
    return Owner.of(row.invoice_id, row.receive_address_id or 0)


def _seen_before(network: Network, found: list[Sighting]) -> dict[Key, Transfer]:
    """The payments of these transactions that were written down in earlier passes, dropped ones too."""
    rows: dict[Key, Transfer] = {}
    txids = sorted({one.txid for one in found})
    for at in range(0, len(txids), IN_ONE_QUERY):
        part = Transfer.objects.filter(network=network.id, txid__in=txids[at : at + IN_ONE_QUERY]).select_related("receive_address")
        rows |= {(row.txid, row.place): row for row in part}
    return rows


def _asked(watched: dict[str, Spot], found: list[Sighting]) -> dict[Exact, Asked]:
    """Which invoice's quote holds which exact amount, at the fixed addresses and of the amounts that were seen; and since when
    that invoice asks for it."""
    asked: dict[Exact, Asked] = {}
    units = sorted({one.units for one in found})
    there = Quote.objects.filter(receive_address__in={watched[one.address].address_id for one in found})
    for at in range(0, len(units), IN_ONE_QUERY):
        near = there.filter(amount_units__in=units[at : at + IN_ONE_QUERY])
        rows = near.filter(holds_amount=True).values_list("receive_address", "asset_id", "amount_units", "invoice")
        holders = {(address, asset, amount): invoice for address, asset, amount, invoice in rows}
        latest_first = near.filter(invoice__in=set(holders.values())).order_by("-created_at", "-id") if holders else near.none()
        for quote in latest_first:
            exact = (quote.receive_address_id, quote.asset_id, quote.amount_units)
            if holders.get(exact) == quote.invoice_id:
                asked[exact] = Asked(quote.invoice_id, quote.created_at, quote.from_height)
    return asked


def _apply(owner: Owner, part: Work, places: dict[str, ReceiveAddress], network: Network, found: Found, now: datetime) -> int:
    """Everything about one owner in one transaction: withdrawn first, then what is there, then what only balances show, then
    the sum."""
    with transaction.atomic():
        invoice = lifecycle.locked(owner.invoice_id) if owner.invoice_id else None
        done = [transfers.drop(invoice, row, now=now) for row in part.gone]
        for one in part.seen:
            if invoice is not None:
                unexplained.resolve(invoice, one, address=places[one.address], network=network.id, now=now)
            place = places[one.address]
            done.append(transfers.apply(invoice, one, address=place, network=network.id, tip=found.tip, now=now, source=found.source))
        if invoice is None:
            return int(any(done))
        for look, balance in part.looks:
            stands = found.reach.stands
            done.append(unexplained.look(invoice, look.pk, balance, network=network, tip=found.tip, stands=stands, now=now))
        if any(done):
            settlement.settle(invoice, now=now)
        return int(any(done))
