"""Tags about refunds, for the frame around pages."""

from __future__ import annotations

from django import template
from django.template.context import RequestContext

from merchants.access import may
from payments.models import Refund

register = template.Library()

NEEDS_A_HAND = (Refund.State.CLAIMED, Refund.State.APPROVED)


@register.simple_tag(takes_context=True)
def waiting_refunds(context: RequestContext) -> int:
    """How many refunds wait for this member to approve or pay them; 0 for who may not."""
    request = context["request"]
    if not may(request.membership, "money"):
        return 0
    return Refund.objects.filter(merchant=request.merchant, status__in=NEEDS_A_HAND).count()
