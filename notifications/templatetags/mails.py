"""Tags about the merchant's mails, for the frame around pages and for an invoice's page."""

from __future__ import annotations

from django import template
from django.template.context import RequestContext

from invoicing.models import Invoice
from invoicing.timeline import mail_name as name_of
from notifications.mail import unreached
from notifications.models import Delivery

register = template.Library()


@register.simple_tag(takes_context=True)
def unreached_count(context: RequestContext) -> str:
    """How many mails of this merchant were not delivered and want a look: '3', '99+', or nothing."""
    found = unreached.count(context["request"].merchant)
    return f"{unreached.COUNTED}+" if found > unreached.COUNTED else str(found or "")


@register.simple_tag
def unreached_mails(invoice: Invoice) -> list[Delivery]:
    """Those to its payer that were not delivered: `{% unreached_mails invoice as failed %}`."""
    return unreached.of_payer(invoice)


@register.filter
def mail_name(delivery: Delivery) -> str:
    """'Invoice issued'."""
    return name_of(delivery.template)
