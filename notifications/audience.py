"""To which addresses a mail of an event goes."""

from __future__ import annotations

from django.utils.translation import gettext as _

from invoicing.models import Invoice
from invoicing.recipients import everybody
from merchants.models import Event, Membership, Merchant, Role
from notifications.models import Channel, Copy, Delivery
from notifications.plans import TO_PAYERS, Mail
from notifications.transports import Withheld

State = Delivery.State

# Mails to a payer that nobody else gets: their links lead to money that goes back, or were asked for by that address.
ALONE = frozenset({"refund_wanted", "refund_told", "refund_confirm", "links"})


def recipients(mail: Mail, event: Event, invoice: Invoice | None) -> list[tuple[str, str]]:
    """(address, `Copy`) of whom to tell: one delivery each. `invoice` is what the event is about, if it is about one."""
    if mail.to != "payer" or invoice is None:
        return [(address, Copy.TO) for address in addresses(mail, event, invoice)]
    invoice.merchant = event.merchant
    found = of_payer(mail.template, invoice)
    if "tell" not in event.facts:
        return found
    told = {address.lower() for address, _copy in event.facts["tell"]}  # new recipients of an invoice that the others have
    return without_it(invoice, mail.template, [one for one in found if one[0].lower() in told])


def of_payer(template: str, invoice: Invoice) -> list[tuple[str, str]]:
    """(address, `Copy`) of whoever gets mails of this kind to the payer of `invoice`, as it stands."""
    found = everybody(invoice)
    return found[:1] if template in ALONE else found


def without_it(invoice: Invoice, template: str, wanted: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those of `wanted` to whom no mail of this kind about `invoice` has gone, or is about to."""
    had = Delivery.objects.filter(
        invoice=invoice, channel=Channel.EMAIL, template=template, status__in=[State.QUEUED, State.SENDING, State.SENT]
    ).values_list("recipient", flat=True)
    known = {address.lower() for address in had}
    return [one for one in wanted if one[0].lower() not in known]


def must_be_wanted(delivery: Delivery, invoice: Invoice) -> None:
    """Withheld for a mail to the payer of `invoice` that would go to an address which its mails no longer go to. What a member
    sends again goes where it went."""
    if delivery.template not in TO_PAYERS or delivery.is_again:
        return
    if delivery.recipient.lower() not in {address.lower() for address, _copy in of_payer(delivery.template, invoice)}:
        raise Withheld(_("Its address was changed before this could be sent."))


def addresses(mail: Mail, event: Event, invoice: Invoice | None) -> list[str]:
    """Of a mail that goes to no payer of an invoice; empty when nobody is to be told."""
    match mail.to:
        case "payer":  # whoever asked for their links: to that address alone
            return [event.facts["asked_by"]] if "asked_by" in event.facts else []
        case "merchant":
            return [(invoice.merchant_email if invoice and invoice.is_issued else "") or event.merchant.email]
        case "invitee":
            return [event.facts["email"]]
        case "owners":
            return _owners_told(event)
    raise KeyError(mail.to)


def _owners_told(event: Event) -> list[str]:
    """Whoever was an owner before it, as the event says, and whoever is one now. An event that names none concerns none."""
    before = event.facts.get("owners")
    return [] if before is None else list(dict.fromkeys([*before, *owners(event.merchant)]))


def owners(merchant: Merchant) -> list[str]:
    """The addresses of the merchant's owners, the longest member first."""
    found = Membership.objects.filter(merchant=merchant, role=Role.OWNER).order_by("id")
    return list(found.values_list("user__email", flat=True))
