"""What needs a hand about messages: added to the overview's list when the app starts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from invoicing.attention import MOST, Matter
from invoicing.models import Status
from invoicing.timeline import mail_name
from merchants.models import Event, Invitation, Merchant
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


def undelivered(merchant: Merchant, now: datetime) -> Iterable[Matter]:
    """Messages about no invoice that were given up on and not sent again since: a row a mail, one for all webhooks.
    (Those about an invoice are told with it, in `invoicing.attention`.)"""
    failed = list(_given_up(merchant).order_by("-id")[: MOST * 5])
    mails = [delivery for delivery in failed if delivery.channel == Channel.EMAIL]
    for delivery in mails[:MOST]:
        is_invitation = delivery.template == "invitation"
        yield Matter(
            "mail-warning",
            "red",
            _("An invitation could not be delivered") if is_invitation else _("A message could not be delivered"),
            _("%(mail)s, to %(recipient)s.") % {"mail": mail_name(delivery.template), "recipient": delivery.recipient},
            reverse("delivery", args=[merchant.slug, delivery.pk]),
            _("See why"),
        )
    if count := len(failed) - len(mails):
        title = ngettext("A webhook could not be delivered", "%(count)s webhooks could not be delivered", count) % {"count": count}
        page = reverse("developers", args=[merchant.slug]) + "?state=failed#deliveries"
        yield Matter("webhook", "red", title, _("About recurring schedules."), page, _("See why"))


def _given_up(merchant: Merchant) -> QuerySet[Delivery]:
    """Sending one again is an event about it. An invitation counts only while it waits, and until its next mail."""
    sent_again = Event.objects.filter(kind="delivery.resent", subject_kind="delivery", subject_id=OuterRef("pk"))
    failed = Delivery.objects.filter(~Exists(sent_again), merchant=merchant, invoice=None, status=State.FAILED)
    waiting = Invitation.objects.filter(merchant=merchant, email=OuterRef("recipient"), accepted_at=None, withdrawn_at=None)
    later = Delivery.objects.filter(merchant=merchant, template="invitation", recipient=OuterRef("recipient"), pk__gt=OuterRef("pk"))
    return failed.filter(~Q(template="invitation") | (Exists(waiting) & ~Exists(later)))
