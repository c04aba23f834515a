"""Mails that were given up on or came back, and that nobody has seen to since. Seen to is: sent again to the same address, sent
to a new one in its place, or of a copy: the recipients were changed after it."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q, QuerySet

from invoicing.models import Invoice
from merchants.models import Event, Invitation, Merchant
from notifications.mail.wordings import TESTED
from notifications.models import Channel, Copy, Delivery
from notifications.plans import TO_PAYERS

State = Delivery.State
COUNTED = 99  # no page counts a whole table


def mails(merchant: Merchant) -> QuerySet[Delivery]:
    """Of this merchant, unordered. A mail with which a member tried something out is none of them."""
    failed = Delivery.objects.filter(merchant=merchant, channel=Channel.EMAIL, status=State.FAILED).exclude(event__kind=TESTED)
    return failed.filter(_of_invoices() | _of_none(merchant))


def _of_invoices() -> Q:
    later = Delivery.objects.filter(
        invoice=OuterRef("invoice"),
        template=OuterRef("template"),
        pk__gt=OuterRef("pk"),
        channel=Channel.EMAIL,
        status__in=[State.QUEUED, State.SENDING, State.SENT, State.FAILED],
    )
    changed = Event.objects.filter(
        kind="invoice.recipients_changed", subject_kind="invoice", subject_id=OuterRef("invoice"), pk__gt=OuterRef("event")
    )
    to_the_same = Q(Exists(later.filter(recipient=OuterRef("recipient"))))
    to_another = later.filter(copy=Copy.TO).exclude(event=OuterRef("event")).exclude(event__kind="delivery.resent")
    in_its_place = Q(copy=Copy.TO) & Q(Exists(to_another))
    is_no_copy_now = ~Q(copy=Copy.TO) & Q(Exists(changed))
    return Q(invoice__isnull=False) & ~to_the_same & ~in_its_place & ~is_no_copy_now


def _of_none(merchant: Merchant) -> Q:
    """Sending one again is an event about it. An invitation counts only while it waits, and until its next mail."""
    sent_again = Event.objects.filter(kind="delivery.resent", subject_kind="delivery", subject_id=OuterRef("pk"))
    waiting = Invitation.objects.filter(merchant=merchant, email=OuterRef("recipient"), accepted_at=None, withdrawn_at=None)
    later = Delivery.objects.filter(merchant=merchant, template="invitation", recipient=OuterRef("recipient"), pk__gt=OuterRef("pk"))
    is_awaited = ~Q(template="invitation") | (Q(Exists(waiting)) & ~Q(Exists(later)))
    return Q(invoice__isnull=True) & ~Q(Exists(sent_again)) & is_awaited


def of_payer(invoice: Invoice) -> list[Delivery]:
    """The mails that did not reach those who are to get them about `invoice`, the newest first."""
    return list(mails(invoice.merchant).filter(invoice=invoice, template__in=TO_PAYERS).order_by("-id")[:COUNTED])


def count(merchant: Merchant) -> int:
    """How many there are; COUNTED + 1 for more than COUNTED."""
    return mails(merchant)[: COUNTED + 1].count()
