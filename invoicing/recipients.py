"""Who gets the mails of an invoice to its payer: one address that is the payer's, and copies.

Copies are kept as {"to": [...], "cc": [...], "bcc": [...]}, parts that are empty left out. After issuing they may still
change, and so may the payer's address: the document keeps what it says, its mails go where the payer is reached.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from invoicing import facts, lifecycle
from invoicing.models import Invoice
from merchants.events import record
from merchants.models import User

PARTS = ("to", "cc", "bcc")
MOST = 10  # copies in all
Copies = dict[str, list[str]]


def split(text: str) -> list[str]:
    """The addresses of 'a@b.example, c@d.example', each once, as they were typed."""
    found: dict[str, str] = {}
    for word in filter(None, re.split(r"[\s,;]+", text)):
        found.setdefault(word.lower(), word)
    return list(found.values())


def tidy(copies: Mapping[str, list[str]], *, main: str = "") -> Copies:
    """`copies` with each address once, in the first part that has it; the payer's own is no copy."""
    seen = {main.lower()}
    kept: Copies = {}
    for part in PARTS:
        for address in copies.get(part, []):
            if address.lower() not in seen:
                seen.add(address.lower())
                kept.setdefault(part, []).append(address)
    return kept


def everybody(invoice: Invoice) -> list[tuple[str, str]]:
    """(address, part) of whoever gets its mails: the payer first, the business's own blind copy last. Empty without a payer's
    address."""
    main = invoice.mail_address
    if not main:
        return []
    own = [invoice.merchant.copies_to] if invoice.merchant.copies_to else []
    copies = invoice.mail_copies
    found = tidy({**copies, "bcc": [*copies.get("bcc", []), *own]}, main=main)
    return [(main, "to"), *((address, part) for part in PARTS for address in found.get(part, []))]


def change(invoice: Invoice, *, main: str, copies: Copies, by: User, now: datetime, owners: list[str] | None = None, **told: Any) -> bool:
    """From now on the mails of an issued invoice go to `main` and `copies`; whether that is a change. `told` goes into the event,
    and is a reason for one. `owners` are mailed when the payer's address changes while there is money on it: mails about a
    refund go there."""
    with transaction.atomic():
        held = lifecycle.locked(invoice.pk)
        if not held.is_issued:
            raise lifecycle.Refused(_("%(name)s has not been issued; edit it instead.") % {"name": held.name})
        was = held.mail_address
        mail_to, kept = ("" if main.lower() == held.payer_email.lower() else main), tidy(copies, main=main)
        if (held.mail_to, held.mail_copies) == (mail_to, kept) and not told:
            return False
        changed = (held.mail_to, held.mail_copies) != (mail_to, kept)
        held.mail_to, held.mail_copies = mail_to, kept
        held.save(update_fields=["mail_to", "mail_copies"])
        invoice.mail_to, invoice.mail_copies = mail_to, kept
        about: dict[str, Any] = {"invoice": facts.of_invoice(held), "was": was, "main": held.mail_address, "copies": kept, **told}
        if owners and was.lower() != held.mail_address.lower() and held.credited_minor:
            about |= {"owners": owners, "who": by.display_name, "name": held.name}
        record("invoice.recipients_changed", merchant=held.merchant, subject=held, now=now, by=by, facts=about)
    return changed
