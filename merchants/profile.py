"""What a merchant says of itself and its defaults for new invoices: changed here, with an event."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from merchants.events import record
from merchants.models import LatePolicy, Merchant, Role, User

MAX_SPREAD_E4 = 50_000  # 5 %
NOTICES = ("paid", "seen")  # the mails to the business email that it can switch off

# What may be changed after founding. Never is_test, the slug, numbering or a secret; the late policy, prices and the refund limit
# have their own doors below.
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
        "attach_pdf",
        "copies_to",
    }
)


def change(merchant: Merchant, *, values: dict[str, Any], by: User, now: datetime) -> list[str]:
    """Give `merchant` the values that differ, and record which fields those were; returned sorted.

    Issued invoices keep what they were issued with. KeyError for a field that is not changeable.
    """
    if unknown := set(values) - CHANGEABLE:
        raise KeyError(", ".join(sorted(unknown)))
    with transaction.atomic():
        held = _locked(merchant)
        changed = sorted(name for name, value in values.items() if getattr(held, name) != value)
        if not changed:
            return []
        for name in changed:
            setattr(held, name, values[name])
            setattr(merchant, name, values[name])
        held.save(update_fields=changed)
        record("merchant.changed", merchant=held, subject=held, now=now, by=by, facts={"fields": changed})
    return changed


def set_late_policy(merchant: Merchant, *, policy: str, by: User, now: datetime) -> bool:
    """What late payments of invoices issued from now on count for; whether that is a change. An owner's to decide:
    the event says who the owners are, and each of them is mailed."""
    new = LatePolicy(policy)
    with transaction.atomic():
        held = _locked(merchant)
        was = held.late_policy
        if was == new:
            return False
        held.late_policy = merchant.late_policy = new
        held.save(update_fields=["late_policy"])
        _record_for_owners(held, {"fields": ["late_policy"], "was": was, "late_policy": new.value}, by=by, now=now)
    return True


def set_prices(merchant: Merchant, *, stable_at_par: bool, spread_e4: int, by: User, now: datetime) -> bool:
    """How quotes made from now on are priced: a stablecoin as one of its currency or by the market, and what is added to what
    a payer is asked for, in 0.0001 %. Whether that is a change. An owner's to decide, and every owner is mailed.
    ValueError for a spread outside 0 to MAX_SPREAD_E4."""
    if not 0 <= spread_e4 <= MAX_SPREAD_E4:
        raise ValueError(f"{spread_e4} is no spread")
    new = {"stable_at_par": stable_at_par, "spread_e4": spread_e4}
    with transaction.atomic():
        held = _locked(merchant)
        was = {name: getattr(held, name) for name in new}
        changed = sorted(name for name, value in new.items() if was[name] != value)
        if not changed:
            return False
        for name in changed:
            setattr(held, name, new[name])
            setattr(merchant, name, new[name])
        held.save(update_fields=changed)
        _record_for_owners(held, {"fields": changed, "was": was, **new}, by=by, now=now)
    return True


def set_refund_limit(merchant: Merchant, *, minor: int | None, currency: str, by: User, now: datetime) -> bool:
    """Above how much a refund needs a second person, in the minor unit of `currency`; None: never. Whether that is a change.
    An owner's to decide, and every owner is mailed. ValueError for less than 0."""
    if minor is not None and minor < 0:
        raise ValueError(f"{minor} is no limit")
    new = {"refund_limit_minor": minor, "refund_limit_currency": "" if minor is None else currency}
    with transaction.atomic():
        held = _locked(merchant)
        was = {name: getattr(held, name) for name in new}
        if was == new:
            return False
        for name, value in new.items():
            setattr(held, name, value)
            setattr(merchant, name, value)
        held.save(update_fields=list(new))
        _record_for_owners(held, {"fields": ["refund_limit"], "was": was, **new}, by=by, now=now)
    return True


def set_notices(merchant: Merchant, *, wanted: dict[str, bool], by: User | None, now: datetime) -> bool:
    """Which notices go to the business email from now on, by their names in NOTICES; those that are not named stay as they are.
    Whether that is a change. `by` is None for the link in a notice. KeyError for what is no notice."""
    if unknown := set(wanted) - set(NOTICES):
        raise KeyError(", ".join(sorted(unknown)))
    with transaction.atomic():
        held = _locked(merchant)
        off = {name for name in held.notices_off if wanted.get(name) is not True} | {name for name, on in wanted.items() if not on}
        if off == set(held.notices_off):
            return False
        held.notices_off = merchant.notices_off = sorted(off)
        held.save(update_fields=["notices_off"])
        facts = {"fields": ["notices_off"], "notices_off": held.notices_off}
        record("merchant.changed", merchant=held, subject=held, now=now, by=by, facts=facts)
    return True


def _record_for_owners(held: Merchant, facts: dict[str, Any], *, by: User, now: datetime) -> None:
    owners = list(held.memberships.filter(role=Role.OWNER).order_by("id").values_list("user__email", flat=True))
    facts = {**facts, "business": held.name, "who": by.display_name, "owners": owners}
    record("merchant.changed", merchant=held, subject=held, now=now, by=by, facts=facts)


def _locked(merchant: Merchant) -> Merchant:
    """The merchant's row, held to the end of the transaction. Not FOR UPDATE: other workers insert rows that refer to it."""
    return Merchant.objects.select_for_update(no_key=True).get(pk=merchant.pk)
