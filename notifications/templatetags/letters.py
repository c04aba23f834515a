from __future__ import annotations

from datetime import datetime

from django import template

from invoicing import previewing
from invoicing.models import Invoice
from notifications.mail import emails

register = template.Library()


@register.simple_tag
def letter_of(invoice: Invoice, now: datetime) -> emails.Letter:
    """The mail in which a not yet issued `invoice` will go to its payer: `{% letter_of invoice now as letter %}`."""
    return emails.preview(previewing.as_issued(invoice, now=now), now=now)
