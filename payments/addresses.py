"""The wallet that receives an asset for a merchant, and the address that each invoice gets there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils.translation import gettext as _

from invoicing import search
from invoicing.models import Invoice, Status
from merchants.assets import Asset, Network, catalogue
from merchants.models import Merchant
from payments.matching import Spot
from payments.models import ReceiveAddress, Wallet, WalletKey
from payments.rails import rail_for

WATCHED_AFTER = timedelta(days=30)  # an invoice is paid or void


def is_watched(now: datetime) -> Q:
    """That the invoice of a row is open, or has not been paid or void for 30 days."""
    since = now - WATCHED_AFTER
    return Q(invoice__status=Status.OPEN) | Q(invoice__paid_at__gte=since) | Q(invoice__voided_at__gte=since)


def watched(network: Network, now: datetime) -> dict[str, Spot]:
    """Every address that payers may still send to on `network`: on all networks of its family, since they share addresses.
    Fixed ones always, retired or not."""
    rows, since = ReceiveAddress.objects.filter(family=network.family).values_list("address", "pk", "invoice"), now - WATCHED_AFTER
    open_ones = rows.filter(invoice__status=Status.OPEN)
    paid = rows.filter(invoice__status=Status.PAID, invoice__paid_at__gte=since)
    void = rows.filter(invoice__status=Status.VOID, invoice__voided_at__gte=since)
    # One query a part, each along an index of its own: with OR the database reads every address there ever was.
    found = rows.filter(invoice=None).union(open_ones, paid, void, all=True)
    return {address: Spot(pk, invoice) for address, pk, invoice in found}


def wallet_for(merchant: Merchant, asset: Asset) -> Wallet | None:
    """The merchant's wallet that receives this asset, if any. A test merchant's sandbox wallet needs no connecting."""
    if asset.network.test != merchant.is_test:
        return None
    if asset.network.test:
        return _sandbox_wallet(merchant, asset.network.family)
    found = Wallet.objects.filter(merchant=merchant, family=asset.network.family, retired_at=None).first()
    return found if found and is_noticed(asset, way=found.way) else None


def is_noticed(asset: Asset, *, way: str) -> bool:
    """Whether payments in `asset` to a wallet connected in this way can be told from each other. Where native coin is found by
    balances, they cannot at one address for all payers: its balance does not say who paid."""
    return not (asset.is_native and asset.network.native == "balances" and way == Wallet.Way.FIXED)


def receiving(merchant: Merchant) -> dict[str, str]:
    """The families of networks on which `merchant` can receive now, each with the way its wallet is connected."""
    if merchant.is_test:
        return {network.family: Wallet.Way.SANDBOX for network in catalogue().networks.values() if network.test}
    return dict(Wallet.objects.filter(merchant=merchant, retired_at=None).values_list("family", "way"))


def is_received(asset: Asset, ways: Mapping[str, str]) -> bool:
    """Whether one of the wallets of `receiving` takes this asset."""
    way = ways.get(asset.network.family)
    return way is not None and is_noticed(asset, way=way)


def _sandbox_wallet(merchant: Merchant, family: str) -> Wallet:
    found = Wallet.objects.filter(merchant=merchant, family=family, retired_at=None).first()
    if found:
        return found
    spec = f"sandbox:m{merchant.pk}"
    key, _made = WalletKey.objects.get_or_create(identity=hashlib.sha256(spec.encode()).hexdigest())
    defaults = {"name": _("Sandbox wallet"), "way": Wallet.Way.SANDBOX, "key": key, "spec": spec}
    return Wallet.objects.get_or_create(merchant=merchant, family=family, retired_at=None, defaults=defaults)[0]


def receive_address(invoice: Invoice, wallet: Wallet, asset: Asset, *, now: datetime) -> ReceiveAddress:
    """The one address of `invoice` (under its lock) in `wallet`: its fixed one, or taken from its key's counter the first time."""
    if wallet.way == Wallet.Way.FIXED:
        return ReceiveAddress.objects.get(wallet=wallet, invoice=None)
    found = ReceiveAddress.objects.filter(wallet=wallet, invoice=invoice).first()
    if found:
        return found
    key = WalletKey.objects.select_for_update().get(pk=wallet.key_id or 0)
    index, address = _next(wallet, key.next_index, asset)
    WalletKey.objects.filter(pk=key.pk).update(next_index=index + 1)
    search.note(invoice, address)
    return ReceiveAddress.objects.create(wallet=wallet, invoice=invoice, family=wallet.family, address=address, key=key, index=index, created_at=now)


def _next(wallet: Wallet, index: int, asset: Asset) -> tuple[int, str]:
    """The first index from `index` on whose address is in no use here: a merchant may have connected one of them as a fixed
    address before it connected the key."""
    while True:
        address = rail_for(asset.network.id).address(key=wallet.spec, index=index)
        if not ReceiveAddress.objects.filter(family=wallet.family, address=address).exists():
            return index, address
        index += 1
