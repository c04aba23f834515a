"""'I lost my link': whoever enters an address is told nothing; the address is mailed the links of its open invoices.

One mail a business, in its look, within its own limits, and few of them: who asks can be anybody. What is listed is looked up as the mail leaves.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from invoicing.models import Invoice, Status
from invoicing.models.invoice import REACHES
from merchants.events import record
from merchants.models import Event, Merchant
from notifications.models import Channel, Delivery

MOST_BUSINESSES = 20  # for one address at once
MOST_A_DAY = 20  # such mails of one business
PAUSE = timedelta(hours=6)  # between two to one address


def ask(email: str, *, now: datetime) -> int:
    """An event for each business that has an open invoice out to `email` and may mail it now; how many there are."""
    address = email.strip().lower()
    found = Merchant.objects.filter(pk__in=_open(address).values("merchant_id")).order_by("pk")
    with transaction.atomic():
        locked = found.select_for_update(no_key=True)[:MOST_BUSINESSES]  # who asks twice at once is mailed once
        asked = [merchant for merchant in locked if _may_mail(merchant, address, now)]
        for merchant in asked:
            record("links.asked", merchant=merchant, subject=merchant, now=now, facts={"asked_by": address})
    return len(asked)


def _may_mail(merchant: Merchant, address: str, now: datetime) -> bool:
    """Whoever asks may be anybody, and the mails count in the business's limit of the day: so not again while the last one
    waits, or was asked for a little while ago, and few a day in all."""
    to_it = Delivery.objects.filter(merchant=merchant, channel=Channel.EMAIL, template="links", recipient=address)
    if to_it.filter(status__in=[Delivery.State.QUEUED, Delivery.State.SENDING]).exists():
        return False
    lately = Event.objects.filter(kind="links.asked", subject_kind="merchant", subject_id=merchant.pk, at__gt=now - timedelta(days=1))
    asked = list(lately.values_list("facts__asked_by", "at")[:MOST_A_DAY])
    return len(asked) < MOST_A_DAY and not any(by == address and at > now - PAUSE for by, at in asked)


def open_for(merchant: Merchant, email: str) -> QuerySet[Invoice]:
    """The open invoices that `merchant` has out to `email`, the one due first on top."""
    return _open(email).filter(merchant=merchant).order_by("due_at", "pk")


def _open(address: str) -> QuerySet[Invoice]:
    """By where their mails go: an address that was corrected since reaches a stranger, perhaps."""
    return Invoice.objects.alias(reaches=REACHES).filter(reaches=address, status=Status.OPEN)
