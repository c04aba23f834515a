"""'I lost my link': whoever enters an address is told nothing; the address is mailed the links of its open invoices.

One mail a business, in its look and within its own limits. What is listed is looked up as the mail leaves.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from invoicing.models import Invoice, Status
from invoicing.models.invoice import REACHES
from merchants.events import record
from merchants.models import Merchant

MOST_BUSINESSES = 20  # for one address at once


def ask(email: str, *, now: datetime) -> int:
    """An event for each business that has an open invoice out to `email`; how many there are."""
    address = email.strip().lower()
    asked = Merchant.objects.filter(pk__in=_open(address).values("merchant_id")).order_by("pk")[:MOST_BUSINESSES]
    with transaction.atomic():
        for merchant in asked:
            record("links.asked", merchant=merchant, subject=merchant, now=now, facts={"asked_by": address})
    return len(asked)


def open_for(merchant: Merchant, email: str) -> QuerySet[Invoice]:
    """The open invoices that `merchant` has out to `email`, the one due first on top."""
    return _open(email).filter(merchant=merchant).order_by("due_at", "pk")


def _open(address: str) -> QuerySet[Invoice]:
    """By where their mails go: an address that was corrected since reaches a stranger, perhaps."""
    return Invoice.objects.alias(reaches=REACHES).filter(reaches=address, status=Status.OPEN)
