"""Mails about money that belongs to no invoice, to the merchant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from merchants import languages
from merchants.models import Event, Merchant
from notifications.mail.emails.arrivals import arrival
from notifications.mail.emails.letter import Letterhead, Matter, link
from notifications.models import Delivery
from notifications.transports import Withheld
from payments import unassigned as loose
from payments.models import Transfer


@dataclass(frozen=True)
class TransferMatter(Matter):
    merchant: Merchant
    event: Event
    transfer: Transfer


def about(delivery: Delivery, now: datetime) -> TransferMatter:
    event = delivery.origin
    merchant = Merchant.objects.select_related("logo").get(pk=delivery.merchant_id)
    transfer = loose.waiting(merchant).filter(pk=event.subject_id).first()
    if transfer is None:
        raise Withheld(_("It was decided on, or taken back by its network, before this could be sent."))
    return TransferMatter(delivery, Letterhead.of_merchant(merchant), now, languages.of_members(), merchant, event, transfer)


def context(matter: TransferMatter) -> dict[str, Any]:
    return KINDS[matter.delivery.template](matter)


def unassigned(matter: TransferMatter) -> dict[str, Any]:
    """Money came and matches no invoice. Of what is less than anybody could be asked for, nobody is mailed: spam looks so."""
    if loose.is_dust(matter.transfer):
        raise Withheld(_("It is less than the smallest payment in this token."))
    return {
        **arrival(matter.event.facts["transfer"], matter.language),
        "arrived": matter.moment(matter.transfer.first_seen_at),
        "suggested": loose.suggestions(matter.transfer, matter.merchant),
        "desk_url": link("unassigned_decide", matter.merchant.slug, matter.transfer.pk),
    }


KINDS: dict[str, Callable[[TransferMatter], dict[str, Any]]] = {"unassigned": unassigned}
