"""What the balance of an invoice's own address says of payments that no block lists (inner calls of contracts).

The book-keeping is pure: all that came since the address was handed out is what came before the baseline, and what the
balance has grown by since. When the merchant sweeps the address, the baseline is taken anew. What a look finds came after the
look before, nobody knows when: so there are looks where a quote and its grace end.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db.models import Q

from invoicing.models import Status
from merchants import assets
from merchants.assets import Asset, Network
from payments.models import BalanceLook, Cursor, Quote, ReceiveAddress
from payments.rails import Balance, Rail, RailUnreachable, Sighting, rail_for

logger = logging.getLogger(__name__)

EVERY = timedelta(days=1)  # while the invoice is open
# The same on networks whose blocks are not read: while it was quoted lately, and later.
EVERY_UNREAD, EVERY_UNREAD_LATER = timedelta(minutes=10), timedelta(hours=1)
MOST_LOOKS = 1000  # in one pass
RECENT = timedelta(days=2)
MOST_BACK, CHUNK = 2000, 200  # blocks that are searched for the transactions behind a balance, in all and at once


@dataclass(frozen=True)
class Book:
    """What is known of an address. Units of the native coin; `baseline` None until the first look."""

    baseline: int | None = None
    sent: int = 0  # transactions it had sent at the baseline
    before: int = 0  # came before the baseline
    received: int = 0  # all that came, as far as balances show it
    height: int | None = None  # of the last look

    def looked(self, balance: Balance, *, then: int, now: int, kept: int) -> Book:
        """The book after a look. `then` is what the address's listed transactions up to the last look bring together, `now`
        up to this one; `kept` is what only balances showed, and whose blocks still stand.

        A look at an older block than the last changes nothing. Less than what is known to have come, with nothing taken back by
        the network, was swept: by a transaction of the address's own, or for it (EIP-7702), which its count does not show. What
        was swept between two looks is known only as far as it was listed: `received` is never lowered by that, and never above
        what truly came.
        """
        height = balance.block.height
        if self.height is not None and height < self.height:
            return self
        stands = min(self.received, then + kept) if self.baseline is not None else 0
        known = max(stands + max(now - then, 0), now)
        before = min(self.before, stands)
        if self.baseline is not None and balance.sent_count == self.sent and before + balance.units - self.baseline >= known:
            return replace(self, before=before, received=before + balance.units - self.baseline, height=height)
        return Book(balance.units, balance.sent_count, known, known, height)


def book_of(look: BalanceLook) -> Book:
    return Book(look.baseline_units, look.sent_count, look.before_units, look.received_units, look.height)


def keep(look: BalanceLook, book: Book) -> None:
    look.baseline_units, look.sent_count, look.before_units = book.baseline, book.sent, book.before
    look.received_units, look.height = book.received, book.height


def coin_of(network: Network) -> Asset | None:
    """The native coin, where payments in it can hide from a scan."""
    coin = next((asset for asset in assets.catalogue().assets.values() if asset.is_native and asset.network == network), None)
    return coin if coin and rail_for(network.id).hides_payments(coin) else None


# --- when to look -------------------------------------------------------------------------------------------------------


def begin(quote: Quote, *, now: datetime) -> None:
    """From now on the own address of `quote` is looked at: when the quote ends, and then once a day."""
    network = quote.asset.network
    if quote.receive_address.invoice_id is None or coin_of(network) is None:
        return
    known = Cursor.objects.filter(network=network.id).values_list("head_height", flat=True).first()
    first = {"due_at": quote.locked_until, "from_height": known}
    look, is_new = BalanceLook.objects.get_or_create(address=quote.receive_address, network=network.id, defaults=first)
    if not is_new:  # at once: what is found then came before this quote
        BalanceLook.objects.filter(pk=look.pk).update(due_at=now)


def take_baseline(quote: Quote) -> None:
    """Ask the network what the address held when it was handed out; outside any transaction. Where no node can be asked, the
    next pass does (`take_late`)."""
    network, place = quote.asset.network, quote.receive_address
    if place.invoice_id is None or coin_of(network) is None:
        return
    look = BalanceLook.objects.filter(address=place, network=network.id, baseline_units=None, height=None).first()
    if look is None or Cursor.objects.filter(network=network.id, failures__gt=0).exists():
        return
    try:
        found = rail_for(network.id).balances([place.address]).get(place.address)
    except RailUnreachable as error:
        logger.warning("The balance of %s on %s is not known yet: %s", place.address, network.name, error)
        return
    if found is not None:
        _keep_baseline(look, found)


def _keep_baseline(look: BalanceLook, found: Balance) -> None:
    columns = {"baseline_units": found.units, "sent_count": found.sent_count, "height": found.block.height, "looked_at": found.block.at}
    if BalanceLook.objects.filter(pk=look.pk, baseline_units=None, height=None).update(**columns):
        for name, value in columns.items():
            setattr(look, name, value)


def take_late(rail: Rail, looks: list[BalanceLook]) -> None:
    """Of those of `looks` that have no baseline yet: what was there at the newest block that was known when the address was handed
    out, as far as the node still knows it. RailUnreachable when it cannot be asked."""
    late = [look for look in looks if look.is_late]
    for height in sorted({look.from_height for look in late if look.from_height is not None}):
        mine = [look for look in late if look.from_height == height]
        found = rail.balances([look.address.address for look in mine], height=height)
        for look in mine:
            if look.address.address in found:
                _keep_baseline(look, found[look.address.address])


def hurry(addresses: Collection[int], *, networks: Collection[str], now: datetime) -> None:
    """Look at these addresses in the next pass."""
    BalanceLook.objects.filter(address__in=addresses, network__in=networks).update(due_at=now)


def due(network: Network, *, also: Collection[int], now: datetime) -> list[BalanceLook]:
    """The looks to be taken in this pass: those whose time has come, those that have no baseline yet, those at the addresses of
    `also`, and where blocks do not list payments in the native coin, all whose live quote asks for it."""
    coin = coin_of(network)
    if coin is None:
        return []
    wanted = Q(due_at__lte=now) | Q(address__in=also) | Q(baseline_units=None, height=None, from_height__isnull=False)
    if network.native == "balances":
        grace = timedelta(minutes=network.grace_minutes)
        awaited = Quote.objects.filter(asset_id=coin.id, locked_until__gt=now - grace, invoice__status=Status.OPEN)
        wanted |= Q(address__in=awaited.values("receive_address"))
    looks = BalanceLook.objects.filter(wanted, network=network.id).select_related("address")
    return list(looks.order_by("due_at", "id")[:MOST_LOOKS])


def ask(rail: Rail, looks: list[BalanceLook]) -> dict[int, Balance]:
    """By look. A node that does not tell balances holds up nothing else: those looks stay due."""
    if not looks:
        return {}
    try:
        take_late(rail, looks)
        found = rail.balances([look.address.address for look in looks])
    except RailUnreachable as error:
        logger.warning("%s tells no balances: %s", rail.network.name, error)
        return {}
    return {look.pk: found[look.address.address] for look in looks if look.address.address in found}


def shows_more(look: BalanceLook, balance: Balance) -> bool:
    """Whether something may have come that was not there at the last look."""
    book = book_of(look)
    return book.looked(balance, then=0, now=0, kept=book.received).received > book.received


def behind(rail: Rail, looks: list[tuple[BalanceLook, Balance]]) -> list[Sighting]:
    """The transactions behind balances that grew, and those that may be in a baseline which could not be taken in time, where
    blocks are not read for them; the newest blocks first, until they explain it all, and MOST_BACK blocks at most."""
    if rail.network.native != "balances":
        return []
    left = {look.address.address: _unexplained(look, balance) for look, balance in looks if look.is_late or shows_more(look, balance)}
    since = {look.address.address: look.from_height if look.is_late else look.height for look, _balance in looks}
    last = max((balance.block.height for look, balance in looks if look.address.address in left), default=0)
    found: list[Sighting] = []
    for top in range(last, max(last - MOST_BACK, 0), -CHUNK):
        bottom = max(top - CHUNK + 1, last - MOST_BACK + 1, 1)
        open_ones = {address for address, units in left.items() if units > 0 and (since[address] or 0) < top}
        if not open_ones:
            break
        lowest = max(bottom, min((since[address] or 0) + 1 for address in open_ones))
        for one in rail.native(open_ones, first=lowest, last=top):
            left[one.address] -= one.units
            found.append(one)
    return found


def _unexplained(look: BalanceLook, balance: Balance) -> int:
    """What came since the last look as far as its balance shows it; without a baseline, all that is there."""
    book = book_of(look)
    return balance.units if look.is_late else book.looked(balance, then=0, now=0, kept=book.received).received - book.received


def next_look(address: ReceiveAddress, network: Network, *, status: str, looked_at: datetime, now: datetime) -> datetime | None:
    """At the next end of a quote and of its grace that is not before the block of this look (`looked_at`), else some time later;
    never again for an invoice that is not open."""
    if status != Status.OPEN:
        return None
    grace = timedelta(minutes=network.grace_minutes)
    quotes = Quote.objects.filter(receive_address=address, asset_id__startswith=f"{network.id}/", locked_until__gt=now - RECENT)
    ends = [end + more for end in quotes.values_list("locked_until", flat=True) for more in (timedelta(0), grace)]
    every = EVERY if network.native != "balances" else EVERY_UNREAD if ends else EVERY_UNREAD_LATER
    return min([now + every, *(end for end in ends if end >= min(looked_at, now))])
