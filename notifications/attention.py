"""What needs a hand about messages: added to the overview's list when the app starts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Exists, OuterRef
from django.urls import reverse
from django.utils.translation import gettext as _

from invoicing.attention import MOST, Matter
from invoicing.models import Status
from merchants.models import Merchant
from notifications.models import Channel, Delivery

State = Delivery.State


def held_back(merchant: Merchant, now: datetime) -> Iterable[Matter]:
    """Open invoices whose mail never left, because the due time had passed when its turn came."""
    about = Delivery.objects.filter(invoice=OuterRef("invoice"), channel=Channel.EMAIL, template="issued")
    left_or_will = about.filter(status__in=[State.QUEUED, State.SENDING, State.SENT])
    held = Delivery.objects.filter(merchant=merchant, channel=Channel.EMAIL, template="issued", status=State.CANCELLED, invoice__status=Status.OPEN)
    for delivery in held.filter(~Exists(left_or_will)).select_related("invoice").order_by("-id")[:MOST]:
        invoice = delivery.invoice
        if invoice is None:
            continue
        yield Matter(
            "mail-warning",
            "red",
            _("%(payer)s has not been told of %(name)s") % {"payer": invoice.payer_name, "name": invoice.name},
            delivery.reason,
            reverse("invoice", args=[merchant.slug, invoice.pk]) + "#messages",
            _("Send it anyway"),
        )
