"""To which addresses a mail of an event goes."""

from __future__ import annotations

from invoicing.models import Invoice
from merchants.models import Event, Membership, Merchant, Role
from notifications.plans import Mail


def addresses(mail: Mail, event: Event, invoice: Invoice | None) -> list[str]:
    """One delivery each; empty when nobody is to be told. `invoice` is what the event is about, if it is about one."""
    match mail.to:
        case "payer":
            return [invoice.payer_email] if invoice and invoice.payer_email else []
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
