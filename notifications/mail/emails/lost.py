"""The mail to a payer who has lost the links of its invoices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from invoicing.models import Invoice
from merchants.models import Merchant
from notifications.mail import lost
from notifications.mail.emails.letter import Letterhead, Matter, link
from notifications.models import Delivery
from notifications.transports import Withheld

SHOWN = 50


@dataclass(frozen=True)
class LostMatter(Matter):
    merchant: Merchant
    invoices: list[Invoice]  # with one more than is shown, where there are more


def about(delivery: Delivery, now: datetime) -> LostMatter:
    merchant = Merchant.objects.select_related("logo").get(pk=delivery.merchant_id)
    found = list(lost.open_for(merchant, delivery.recipient)[: SHOWN + 1])
    if not found:
        raise Withheld(_("None of its invoices was open any more when this could be sent."))
    return LostMatter(delivery, Letterhead.of_merchant(merchant), now, found[0].language, merchant, found)


def context(matter: LostMatter) -> dict[str, Any]:
    return KINDS[matter.delivery.template](matter)


def links(matter: LostMatter) -> dict[str, Any]:
    """To the payer: what is open, each with its link. The links are made here and kept nowhere."""
    shown = matter.invoices[:SHOWN]
    rows = [{"invoice": one, "due": matter.moment(one.due_at), "url": link("public_invoice", one.public_id)} for one in shown]
    hidden = lost.open_for(matter.merchant, matter.delivery.recipient).count() - SHOWN if len(matter.invoices) > SHOWN else 0
    return {"rows": rows, "count": len(shown) + hidden, "hidden": hidden, "page_url": rows[0]["url"]}


KINDS: dict[str, Callable[[LostMatter], dict[str, Any]]] = {"links": links}
