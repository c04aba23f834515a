"""What a merchant says of itself and its defaults for new invoices: changed here, with an event."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from merchants.events import record
from merchants.models import Merchant, User

# What may be changed after founding. Never is_test, the slug, numbering or a secret.
CHANGEABLE = frozenset(
    {
        "name",
        "email",
        "address",
        "tax_id",
        "currency",
        "language",
        "time_zone",
        "due_after_days",
        "tolerance_e4",
        "paper",
        "footer",
        "brand_color",
        "logo",
        "accepted_assets",
        "daily_mail_limit",
    }
)


def change(merchant: Merchant, *, values: dict[str, Any], by: User, now: datetime) -> list[str]:
    """Give `merchant` the values that differ, and record which fields those were; returned sorted.

    Issued invoices keep what they were issued with. KeyError for a field that is not changeable.
    """
    if unknown := set(values) - CHANGEABLE:
        raise KeyError(", ".join(sorted(unknown)))
    with transaction.atomic():
        held = Merchant.objects.select_for_update().get(pk=merchant.pk)
        changed = sorted(name for name, value in values.items() if getattr(held, name) != value)
        if not changed:
            return []
        for name in changed:
            setattr(held, name, values[name])
            setattr(merchant, name, values[name])
        held.save(update_fields=changed)
        record("merchant.changed", merchant=held, subject=held, now=now, by=by, facts={"fields": changed})
    return changed
