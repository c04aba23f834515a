"""To which addresses a mail of an event goes."""

from __future__ import annotations

from invoicing.models import Invoice
from invoicing.recipients import everybody
from merchants.models import Event, Membership, Merchant, Role
from notifications.models import Copy
from notifications.plans import Mail

# Mails to a payer that nobody else gets: their links lead to money that goes back, or were asked for by that address.
ALONE = frozenset({"refund_wanted", "refund_told", "refund_confirm", "links"})


def recipients(mail: Mail, event: Event, invoice: Invoice | None) -> list[tuple[str, str]]:
    """(address, `Copy`) of whom to tell: one delivery each. `invoice` is what the event is about, if it is about one."""
    if mail.to != "payer" or mail.template in ALONE or invoice is None:
        return [(address, Copy.TO) for address in addresses(mail, event, invoice)]
    if "tell" in event.facts:  # new recipients of an invoice that the others have
        return [(address, copy) for address, copy in event.facts["tell"]]
    invoice.merchant = event.merchant
    return everybody(invoice)


def addresses(mail: Mail, event: Event, invoice: Invoice | None) -> list[str]:
    """Without copies; empty when nobody is to be told."""
    match mail.to:
        case "payer" if "asked_by" in event.facts:  # whoever asked for their links: to that address alone
            return [event.facts["asked_by"]]
        case "payer":
            return [invoice.mail_address] if invoice and invoice.mail_address else []
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
