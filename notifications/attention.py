"""What needs a hand about messages: added to the overview's list when the app starts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Exists, OuterRef
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from invoicing.attention import MOST, Matter
from invoicing.models import Invoice, Status
from invoicing.timeline import mail_name
from merchants.models import Event, Merchant
from notifications.mail import unreached
from notifications.models import Channel, Delivery, MailServer
from notifications.plans import TO_PAYERS

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


def mails(merchant: Merchant, now: datetime) -> Iterable[Matter]:
    """Mails that were given up on or came back, and that nobody has seen to since: a row an invoice, and one for each of the rest."""
    rows: dict[object, Delivery] = {}
    for delivery in unreached.mails(merchant).select_related("invoice").order_by("-id")[: MOST * 5]:
        rows.setdefault(delivery.invoice_id or f"mail {delivery.pk}", delivery)
    for delivery in list(rows.values())[:MOST]:
        yield _of_invoice(merchant, delivery, delivery.invoice) if delivery.invoice else _of_none(merchant, delivery)


def _of_invoice(merchant: Merchant, delivery: Delivery, invoice: Invoice) -> Matter:
    title = _("A message could not be delivered")
    if delivery.template in TO_PAYERS:
        title = _("%(email)s could not be reached") % {"email": delivery.recipient}
    text = _("%(mail)s of %(name)s, for %(payer)s. %(reason)s")
    names = {"mail": mail_name(delivery.template), "name": invoice.name, "payer": invoice.payer_name, "reason": delivery.reason}
    page = reverse("invoice", args=[merchant.slug, invoice.pk])
    return Matter("mail-warning", "red", title, (text % names).strip(), page, _("See why"))


def _of_none(merchant: Merchant, delivery: Delivery) -> Matter:
    is_invitation = delivery.template == "invitation"
    return Matter(
        "mail-warning",
        "red",
        _("An invitation could not be delivered") if is_invitation else _("A message could not be delivered"),
        _("%(mail)s, to %(recipient)s.") % {"mail": mail_name(delivery.template), "recipient": delivery.recipient},
        reverse("message", args=[merchant.slug, delivery.pk]),
        _("See why"),
    )


def mail_server(merchant: Merchant, now: datetime) -> Iterable[Matter]:
    """A mail server of its own that has failed so often that it is left alone for a while."""
    for server in MailServer.objects.filter(merchant=merchant, is_enabled=True, blocked_until__isnull=False):
        title = _("Your mail server does not answer")
        text = _("Mails to payers wait for %(server)s and are tried again. Switched off, they leave through this site.") % {"server": server}
        yield Matter("server", "red", title, text, reverse("settings_mail", args=[merchant.slug]), _("Look at it"), needs="profile")


def webhooks(merchant: Merchant, now: datetime) -> Iterable[Matter]:
    """Webhooks about no invoice that were given up on and not sent again since: one row for all.
    (Those about an invoice are told with it, in `invoicing.attention`.)"""
    sent_again = Event.objects.filter(kind="delivery.resent", subject_kind="delivery", subject_id=OuterRef("pk"))
    failed = Delivery.objects.filter(~Exists(sent_again), merchant=merchant, invoice=None, status=State.FAILED, channel=Channel.WEBHOOK)
    if count := failed[: MOST * 5].count():
        title = ngettext("A webhook could not be delivered", "%(count)s webhooks could not be delivered", count) % {"count": count}
        page = reverse("developers_deliveries", args=[merchant.slug]) + "?state=failed"
        yield Matter("webhook", "red", title, _("About recurring schedules."), page, _("See why"))
