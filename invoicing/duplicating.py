"""A new draft with the contents and the files of another invoice, and new dates.

What an issued invoice says is read from its own columns, as everywhere: a copy of it is a copy of what was sent.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from invoicing import entry, facts, lifecycle, search, uploads
from invoicing.models import Invoice, LineItem, Status
from invoicing.models.contents import Contents
from merchants import assets, moments
from merchants.events import record
from merchants.models import User

DUE_AT = time(18, 0)  # where the original says no time: what the form proposes too
OWN = ("version", "form_key", "created_by", "created_at", "remark", "time_zone", "asset_ids")  # not the original's
COPIED = tuple(field.name for field in Contents._meta.fields if field.name not in OWN)
NOT_ISSUED = (Status.DRAFT, Status.SCHEDULED, Status.MISSED)


def duplicate(original: Invoice, *, by: User, form_key: str, now: datetime) -> Invoice:
    """A draft with the contents and files of `original`, whatever its state: sent at once, due after as many days.

    `form_key` names the form it was asked for with: pressed twice, it is one draft. The copy of a void invoice is written
    to replace it. The remark stays with the original, as do tokens that are no longer accepted.
    """
    with transaction.atomic():
        held = lifecycle.locked(original.pk)  # its files are shared under its lock
        try:
            with transaction.atomic():
                copy = Invoice.objects.create(**_columns(held, by=by, form_key=form_key, now=now))
        except IntegrityError:
            return Invoice.objects.get(merchant=held.merchant_id, form_key=form_key)
        LineItem.objects.bulk_create(LineItem(invoice=copy, **line.copied()) for line in held.lines.all())
        uploads.share(held.attachments.all(), to=copy, now=now)
        search.refresh(copy)
        about = {"invoice": facts.of_invoice(copy), "copied_from": held.name}
        record("invoice.created", merchant=copy.merchant, subject=copy, now=now, by=by, facts=about)
        return copy


def waiting(original: Invoice) -> Invoice | None:
    """The newest draft that replaces a void `original` once it is issued (scheduled and missed ones too); None when one was."""
    if original.status != Status.VOID or original.replaced_by_id:
        return None
    return Invoice.objects.filter(merchant=original.merchant_id, replaces=original, status__in=NOT_ISSUED).order_by("-id").first()


def _columns(original: Invoice, *, by: User, form_key: str, now: datetime) -> dict[str, Any]:
    merchant = original.merchant
    columns: dict[str, Any] = {name: getattr(original, name) for name in COPIED}
    accepted = {asset.id for asset in assets.accepted_by(merchant)}
    return columns | {
        "merchant": merchant,
        "payer_email": original.mail_address,
        "created_by": by,
        "form_key": form_key,
        "time_zone": merchant.time_zone,
        "asset_ids": [] if original.all_assets else [name for name in original.asset_ids if name in accepted],
        "due_at": due_for(original, now=now),
        "replaces": original if original.status == Status.VOID else None,
    }


def due_for(original: Invoice, *, now: datetime) -> datetime:
    """When a copy that is sent now is due: as many days on the calendar as the original had, at the same time on the clock.

    The merchant's usual days where it had no sending or no due date. Days and times are those of the merchant's zone; never
    before `now`: a copy of what was due on its own day is due tomorrow when that time has passed today.
    """
    merchant = original.merchant
    zone, sent = merchant.time_zone, original.issued_at or original.issue_at
    days, at = merchant.due_after_days, DUE_AT
    if original.due_at is not None:
        due = moments.local(original.due_at, zone)
        at = due.time()
        if sent is not None and original.due_at > sent:
            days = (due.date() - moments.local(sent, zone).date()).days
    today = moments.local(now, zone).date()
    found = entry.moment(today + timedelta(days=days), at, zone)
    return found if found > now else entry.moment(today + timedelta(days=days + 1), at, zone)
