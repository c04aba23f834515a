"""Gapless invoice numbers: taken in the issuing transaction, so that a rollback gives the number back.

A series goes by segments: from a moment on, a prefix and a first number. Each is recorded, and none may come to a
number that an invoice already has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models.functions import Length
from django.utils.translation import gettext as _

from invoicing.models import Invoice
from merchants.events import record
from merchants.models import Merchant, NumberSegment, User

DIGITS = 6  # at least
HIGHEST_FIRST = 999_999_999


class NumberTaken(RuntimeError):
    """Two transactions wanted the same number; cannot happen under the lock."""


class Collides(Exception):
    """The series cannot go on like this; the text says why, and from where it can."""


@dataclass(frozen=True)
class Stretch:
    """A segment of the series as an auditor reads it."""

    first: str
    last: str  # '' while none was taken
    started_at: datetime
    started_by: str  # '' for the founding
    is_now: bool


def written(prefix: str, number: int) -> str:
    """'INV-000001'."""
    return f"{prefix}{number:0{DIGITS}d}"


def take(merchant_id: int) -> str:
    """The merchant's next number, `INV-000001`. Must be the last lock of its transaction; holds it to the end."""
    merchant = _locked(merchant_id)
    _swap(merchant, prefix=merchant.number_prefix, next_number=merchant.next_number + 1)
    return written(merchant.number_prefix, merchant.next_number)


def take_credit_note(merchant_id: int) -> str:
    """The merchant's next credit note number, `CN-000001`: a series of its own. Like `take`, the last lock of its transaction."""
    held = _locked(merchant_id)
    as_read = Merchant.objects.filter(pk=held.pk, next_credit_note=held.next_credit_note)
    if not as_read.update(next_credit_note=held.next_credit_note + 1):
        raise NumberTaken(f"{written(held.credit_note_prefix, held.next_credit_note)} was taken by another transaction.")
    return written(held.credit_note_prefix, held.next_credit_note)


def coming(merchant: Merchant) -> str:
    """The number that the next invoice gets."""
    return written(merchant.number_prefix, merchant.next_number)


def last_taken(merchant: Merchant) -> str:
    """The last number of the present segment; '' while none was taken."""
    segment = merchant.number_segments.last()
    first = segment.first if segment else 1
    return written(merchant.number_prefix, merchant.next_number - 1) if merchant.next_number > first else ""


def objection(merchant: Merchant, *, prefix: str, first: int) -> str:
    """Why the series cannot go on with `prefix` from `first`, as a sentence; '' when it can."""
    if (prefix, first) == (merchant.number_prefix, merchant.next_number):
        return _("%(number)s comes next anyway; nothing would change.") % {"number": written(prefix, first)}
    taken = _highest_taken(merchant.pk, prefix)
    if first > taken:
        return ""
    return _("%(last)s is already taken. Start above it, from %(next)d on.") % {"last": written(prefix, taken), "next": taken + 1}


def begin(merchant: Merchant, *, prefix: str, first: int, by: User, now: datetime) -> NumberSegment:
    """Number with `prefix` from `first` on, from the next issued invoice. Collides when that would meet a taken number."""
    with transaction.atomic():
        held = _locked(merchant.pk)
        if reason := objection(held, prefix=prefix, first=first):
            raise Collides(reason)
        before = last_taken(held)
        if not held.number_segments.exists():  # the one since the founding gets its row too, so that the rows tell it all
            NumberSegment.objects.create(merchant=held, prefix=held.number_prefix, first=1, started_at=held.created_at)
        _swap(held, prefix=prefix, next_number=first)
        segment = NumberSegment.objects.create(merchant=held, prefix=prefix, first=first, before=before, started_at=now, started_by=by)
        facts = {"prefix": prefix, "first": first, "next": written(prefix, first), "before": before}
        record("merchant.numbering", merchant=held, subject=held, now=now, by=by, facts=facts)
    merchant.number_prefix, merchant.next_number = prefix, first
    return segment


def stretches(merchant: Merchant) -> list[Stretch]:
    """Every segment so far, the present one first."""
    rows = list(merchant.number_segments.select_related("started_by"))
    if not rows:
        rows = [NumberSegment(merchant=merchant, prefix=merchant.number_prefix, first=1, started_at=merchant.created_at)]
    lasts = [row.before for row in rows[1:]] + [last_taken(merchant)]
    return [
        Stretch(
            first=written(row.prefix, row.first),
            last=last,
            started_at=row.started_at,
            started_by=row.started_by.display_name if row.started_by else "",
            is_now=row is rows[-1],
        )
        for row, last in reversed(list(zip(rows, lasts, strict=True)))
    ]


def _highest_taken(merchant_id: int, prefix: str) -> int:
    """The highest number among those that read as `prefix` and a number, whatever prefix they were taken with; 0 for none."""
    reads_so = rf"^{re.escape(prefix)}([0-9]{{{DIGITS}}}|[1-9][0-9]{{{DIGITS},}})$"
    found = Invoice.objects.filter(merchant=merchant_id, number__startswith=prefix, number__regex=reads_so)
    highest = found.order_by(Length("number").desc(), "-number").values_list("number", flat=True).first()
    return int(highest[len(prefix) :]) if highest else 0


def _locked(merchant_id: int) -> Merchant:
    """The merchant's row, held to the end of the transaction. Not FOR UPDATE: rows that refer to it are being inserted
    by transactions that wait for the invoice we hold, and their foreign keys would wait for us."""
    return Merchant.objects.select_for_update(no_key=True).get(pk=merchant_id)


def _swap(held: Merchant, *, prefix: str, next_number: int) -> None:
    """Move the series on if it still stands where `held` was read. SQLite knows no row lock, so this holds there too."""
    as_read = Merchant.objects.filter(pk=held.pk, number_prefix=held.number_prefix, next_number=held.next_number)
    if not as_read.update(number_prefix=prefix, next_number=next_number):
        raise NumberTaken(f"{coming(held)} was taken by another transaction.")
