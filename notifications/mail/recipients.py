"""Who gets the mails of an issued invoice: changed here, and what each mail shows of the others."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from invoicing import recipients
from invoicing.models import Invoice, Status
from merchants.models import User
from notifications import outbox
from notifications.audience import of_payer, owners, without_it
from notifications.models import Channel, Copy, Delivery
from notifications.plans import TO_PAYERS

State = Delivery.State
WAITING = (State.QUEUED, State.SENDING)
FITTING = {Status.OPEN: "issued", Status.PAID: "receipt", Status.VOID: "cancelled"}  # the mail that fits the state


def change(invoice: Invoice, *, main: str, copies: recipients.Copies, mail_now: bool, by: User, now: datetime) -> list[str] | None:
    """From now on the mails of `invoice` go to `main` and `copies`; what waits for an address that is no longer among them does
    not leave. `mail_now`: the mail that fits its state goes to whoever has not had it. The addresses mailed; None when nothing
    was to be done. lifecycle.Refused before it is issued."""
    with transaction.atomic():
        after = Invoice(merchant=invoice.merchant, payer_email=invoice.payer_email, mail_to=main, mail_copies=copies)
        template = FITTING.get(Status(invoice.status), "")
        tell = without_it(invoice, template, recipients.everybody(after)) if mail_now and template else []
        told = {"mail": template, "tell": tell} if tell else {}
        changed = recipients.change(invoice, main=main, copies=copies, by=by, now=now, owners=owners(invoice.merchant), **told)
        _follow(invoice, now)
    return [address for address, _part in tell] if changed or tell else None


def _follow(invoice: Invoice, now: datetime) -> None:
    """What has not left goes to whom it should now, as the copy it should be. What is being tried at this moment is asked again
    before its next try."""
    under_way = Delivery.objects.filter(invoice=invoice, channel=Channel.EMAIL, template__in=TO_PAYERS, status__in=WAITING)
    for delivery in under_way.select_related("merchant", "invoice", "event"):
        copy = _parts(delivery.template, invoice).get(delivery.recipient.lower())
        if copy is None:
            if delivery.status == State.QUEUED:
                outbox.cancel(delivery, reason=_("Its address was changed before this could be sent."), now=now)
        elif copy != delivery.copy:
            Delivery.objects.filter(pk=delivery.pk).update(copy=copy)


def _parts(template: str, invoice: Invoice) -> dict[str, str]:
    """Address, in small letters → `Copy` of whoever gets mails of this kind now."""
    return {address.lower(): copy for address, copy in of_payer(template, invoice)}


def visible(delivery: Delivery) -> tuple[list[str], list[str]]:
    """The addresses that the mail shows under To and Cc: of everybody who gets it openly. Blind ones are in neither, nor is who
    was taken out before it leaves."""
    if delivery.template not in TO_PAYERS:
        return [delivery.recipient], []
    invoice = Invoice.objects.select_related("merchant").filter(pk=delivery.invoice_id or 0).first()
    shown: dict[str, list[str]] = {Copy.TO: [], Copy.CC: [], Copy.BCC: []}
    for recipient, copy in _beside(delivery, invoice):
        shown[copy].append(recipient)
    if not shown[Copy.TO]:  # a copy that was sent again, or added later
        shown[Copy.TO].append((invoice.mail_address if invoice else "") or delivery.recipient)
    return shown[Copy.TO], shown[Copy.CC]


def _beside(delivery: Delivery, invoice: Invoice | None) -> list[tuple[str, str]]:
    """(address, `Copy`) of whoever gets this mail of its event, it among them; while it has not left, as the invoice has them."""
    rows = Delivery.objects.filter(event=delivery.event_id, channel=Channel.EMAIL, template=delivery.template).order_by("id")
    if delivery.status != State.CANCELLED:
        rows = rows.exclude(status=State.CANCELLED)
    found = list(rows.values_list("recipient", "copy"))
    if invoice is None or delivery.is_again or delivery.status not in WAITING:
        return found
    parts = _parts(delivery.template, invoice)
    return [(address, parts[address.lower()]) for address, _copy in found if address.lower() in parts]
