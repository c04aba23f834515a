"""Who gets the mails of an issued invoice: changed here, and what each mail shows of the others."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from invoicing import recipients
from invoicing.models import Invoice, Status
from merchants.models import User
from notifications import outbox
from notifications.audience import ALONE, owners
from notifications.models import Channel, Copy, Delivery
from notifications.plans import TO_PAYERS

State = Delivery.State
FITTING = {Status.OPEN: "issued", Status.PAID: "receipt", Status.VOID: "cancelled"}  # the mail that fits the state


def change(invoice: Invoice, *, main: str, copies: recipients.Copies, mail_now: bool, by: User, now: datetime) -> list[str] | None:
    """From now on the mails of `invoice` go to `main` and `copies`; what waits for an address that is no longer among them does
    not leave. `mail_now`: the mail that fits its state goes to whoever has not had it. The addresses mailed; None when nothing
    was to be done. lifecycle.Refused before it is issued."""
    with transaction.atomic():
        after = Invoice(merchant=invoice.merchant, payer_email=invoice.payer_email, mail_to=main, mail_copies=copies)
        template = FITTING.get(Status(invoice.status), "")
        tell = _without_it(invoice, template, recipients.everybody(after)) if mail_now and template else []
        told = {"mail": template, "tell": tell} if tell else {}
        changed = recipients.change(invoice, main=main, copies=copies, by=by, now=now, owners=owners(invoice.merchant), **told)
        _hold_back(invoice, now)
    return [address for address, _part in tell] if changed or tell else None


def _without_it(invoice: Invoice, template: str, wanted: list[tuple[str, str]]) -> list[tuple[str, str]]:
    had = Delivery.objects.filter(
        invoice=invoice, channel=Channel.EMAIL, template=template, status__in=[State.QUEUED, State.SENDING, State.SENT]
    ).values_list("recipient", flat=True)
    known = {address.lower() for address in had}
    return [(address, part) for address, part in wanted if address.lower() not in known]


def _hold_back(invoice: Invoice, now: datetime) -> None:
    wanted = {address.lower() for address, _part in recipients.everybody(invoice)}
    waiting = Delivery.objects.filter(invoice=invoice, channel=Channel.EMAIL, template__in=TO_PAYERS, status=State.QUEUED)
    for delivery in waiting.select_related("merchant", "invoice", "event"):
        right = {invoice.mail_address.lower()} if delivery.template in ALONE else wanted
        if delivery.recipient.lower() not in right:
            outbox.cancel(delivery, reason=_("Its address was changed before this could be sent."), now=now)


def visible(delivery: Delivery) -> tuple[list[str], list[str]]:
    """The addresses that the mail shows under To and Cc: of everybody who gets it openly. Blind ones are in neither."""
    if delivery.template not in TO_PAYERS:
        return [delivery.recipient], []
    beside = Delivery.objects.filter(event=delivery.event_id, channel=Channel.EMAIL, template=delivery.template).order_by("id")
    shown: dict[str, list[str]] = {Copy.TO: [], Copy.CC: []}
    for recipient, copy in beside.exclude(copy=Copy.BCC).values_list("recipient", "copy"):
        shown[copy].append(recipient)
    if not shown[Copy.TO]:  # a copy that was sent again, or added later
        shown[Copy.TO].append((delivery.invoice.mail_address if delivery.invoice else "") or delivery.recipient)
    return shown[Copy.TO], shown[Copy.CC]
