"""The wallet that receives an asset for a merchant, and the address that each invoice gets there."""

from __future__ import annotations

import hashlib
from datetime import datetime

from django.db.models import F
from django.utils.translation import gettext as _

from invoicing import search
from invoicing.models import Invoice
from merchants.assets import Asset
from merchants.models import Merchant
from payments.models import ReceiveAddress, Wallet, WalletKey
from payments.rails import rail_for


def wallet_for(merchant: Merchant, asset: Asset) -> Wallet | None:
    """The merchant's wallet for this asset's family. A test merchant's sandbox wallet needs no connecting."""
    if asset.network.test != merchant.is_test:
        return None
    if asset.network.test:
        return _sandbox_wallet(merchant, asset.network.family)
    return Wallet.objects.filter(merchant=merchant, family=asset.network.family, retired_at=None).first()


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
    key = WalletKey.objects.select_for_update().get(pk=wallet.key_id)
    WalletKey.objects.filter(pk=key.pk).update(next_index=F("next_index") + 1)
    address = rail_for(asset.network.id).address(key=wallet.spec, index=key.next_index)
    search.note(invoice, address)
    return ReceiveAddress.objects.create(
        wallet=wallet, invoice=invoice, family=wallet.family, address=address, key=key, index=key.next_index, created_at=now
    )
