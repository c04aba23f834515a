"""Where a merchant receives, and the address that each invoice gets there."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F
from django.utils.translation import gettext as _

from invoicing import search
from invoicing.models import Invoice
from merchants.assets import Asset
from merchants.models import Merchant
from payments.models import ReceiveAddress, Wallet
from payments.rails import rail_for


def wallet_for(merchant: Merchant, asset: Asset) -> Wallet | None:
    """The merchant's wallet for this asset's family. A test merchant's sandbox wallet needs no connecting."""
    if asset.network.test != merchant.is_test:
        return None
    if asset.network.test:
        return Wallet.objects.get_or_create(merchant=merchant, family=asset.network.family, defaults={"name": _("Sandbox wallet")})[0]
    return Wallet.objects.filter(merchant=merchant, family=asset.network.family).first()


def receive_address(invoice: Invoice, wallet: Wallet, asset: Asset, *, now: datetime) -> ReceiveAddress:
    """The one address of `invoice` (under its lock) in `wallet`; taken from the wallet's counter the first time."""
    found = ReceiveAddress.objects.filter(wallet=wallet, invoice=invoice).first()
    if found:
        return found
    index = Wallet.objects.select_for_update().get(pk=wallet.pk).next_index
    Wallet.objects.filter(pk=wallet.pk).update(next_index=F("next_index") + 1)
    address = rail_for(asset.network.id).address(wallet_id=wallet.pk, index=index)
    search.note(invoice, address)
    return ReceiveAddress.objects.create(wallet=wallet, invoice=invoice, family=wallet.family, address=address, index=index, created_at=now)
