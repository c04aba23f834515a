"""What needs a hand about money without an invoice: added to the overview's list when the app starts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _

from invoicing.attention import MOST, Matter
from invoicing.money import grouped
from merchants import assets
from merchants.models import Merchant
from payments import unassigned as loose
from payments.models import Transfer


def unassigned(merchant: Merchant, now: datetime) -> Iterable[Matter]:
    """Money that matched no invoice. Dust stands in the list behind the link only."""
    for transfer in loose.worth_a_look(merchant)[:MOST]:
        title = _("%(money)s matched no invoice") % {"money": _amount(transfer)}
        text = _("Say whose payment it is. It counts for nothing yet.")
        yield Matter("scale", "amber", title, text, reverse("unassigned", args=[merchant.slug]), _("Look at it"))


def _amount(transfer: Transfer) -> str:
    """'12.5 USDC on Polygon'."""
    asset = assets.catalogue().assets.get(transfer.asset_id)
    return f"{grouped(transfer.amount_units, asset.decimals, trim=True, minimum=2)} {asset.label}" if asset else _("An unknown token")
