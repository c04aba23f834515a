"""Many PDFs as one zip: asked for on a page, made by a worker, fetched from a page, gone after a day.

A worker's claim is a lease with a number: the attempt, counted in the row before the work. What it writes (how many are
done, the file, the reason why not) counts only while that number is still its own, so that two workers on one bundle make
one file. After the third attempt that did not end, it is given up, and the page says so.
"""

from __future__ import annotations

import logging
import re
import tempfile
import time
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import IO

from django.core.files import File
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _

from invoicing import pdf
from invoicing.models import Bundle, Invoice
from merchants import haste
from merchants.models import Merchant, User

logger = logging.getLogger(__name__)
MOST = 500
ATTEMPTS = 3
LEASE = timedelta(minutes=2)  # one page never takes as long; it is renewed while files are added
KEPT_FOR = timedelta(hours=24)
STEP = 5  # files between two words about progress
TASK = "invoicing.tasks.make_bundle"


class Lost(Exception):
    """Another worker has this bundle now."""


def ask(merchant: Merchant, invoices: Iterable[Invoice], *, by: User, now: datetime) -> Bundle:
    """A bundle of the PDFs of these invoices (issued, at most MOST, in this order); a worker is woken once that is committed."""
    pks = [invoice.pk for invoice in invoices]
    if not 0 < len(pks) <= MOST:
        raise ValueError(f"A bundle has 1 to {MOST} invoices, not {len(pks)}.")
    with transaction.atomic():
        bundle = Bundle.objects.create(merchant=merchant, asked_by=by, invoice_ids=pks, total=len(pks), created_at=now)
        _wake(bundle.pk)
    return bundle


def again(bundle: Bundle) -> bool:
    """Begin anew with one that was given up. False when it was not."""
    with transaction.atomic():
        given_up = Bundle.objects.filter(pk=bundle.pk, ready_at=None).exclude(error="")
        if not given_up.update(error="", attempts=0, done=0, leased_until=None):
            return False
        _wake(bundle.pk)
        return True


def _wake(pk: int) -> None:
    transaction.on_commit(partial(haste.wake, TASK, pk), robust=True)


def waiting(now: datetime) -> list[int]:
    """The bundles that no worker is at, the oldest first."""
    return list(_free(now).order_by("id").values_list("pk", flat=True)[:20])


def _free(now: datetime) -> QuerySet[Bundle]:
    return Bundle.objects.filter(ready_at=None, error="").filter(Q(leased_until=None) | Q(leased_until__lte=now))


@dataclass(frozen=True)
class _Claim:
    """A worker's right to one bundle. `now` is when it began; the lease runs on by the time that has really passed."""

    bundle: Bundle
    number: int
    now: datetime
    began: float

    def write(self, **columns: object) -> None:
        """Write to the row, while it is ours. Lost when it is not."""
        mine = Bundle.objects.filter(pk=self.bundle.pk, attempts=self.number, ready_at=None, error="")
        if not mine.update(**columns):
            raise Lost

    def passed(self) -> datetime:
        return self.now + timedelta(seconds=time.monotonic() - self.began)


def claim(pk: int, *, now: datetime) -> _Claim | None:
    """Take the bundle for a while; None when it is made, given up, or another worker's."""
    bundle = Bundle.objects.select_related("merchant").filter(pk=pk).first()
    if bundle is None:
        return None
    if bundle.attempts >= ATTEMPTS:
        _free(now).filter(pk=pk).update(error=_("It was begun three times and never came to an end."))
        return None
    number = bundle.attempts + 1
    if not _take(pk, number=number, now=now):
        return None
    return _Claim(bundle, number, now, time.monotonic())


def _take(pk: int, *, number: int, now: datetime) -> int:
    """The claim itself: only if no other has been made since the row was read, and none is running."""
    free = _free(now).filter(pk=pk, attempts=number - 1)
    return free.update(attempts=F("attempts") + 1, leased_until=now + LEASE, done=0)


def make(pk: int, *, now: datetime) -> bool:
    """Make the zip of this bundle, printing what is not printed yet. Whether it is made. Not for inside a transaction."""
    mine = claim(pk, now=now)
    if mine is None:
        return False
    try:
        with tempfile.TemporaryFile() as target:
            _fill(target, mine)
            return _store(target, mine)
    except Lost:
        return False
    except pdf.NotMade as reason:
        _give_up(mine, str(reason))
    except Exception as error:
        logger.exception("Bundle %s could not be made", pk)
        _give_up(mine, f"{type(error).__name__}: {error}")
    return False


def _fill(target: IO[bytes], mine: _Claim) -> None:
    found = {invoice.pk: invoice for invoice in Invoice.objects.filter(merchant=mine.bundle.merchant, pk__in=mine.bundle.invoice_ids)}
    invoices = [found[pk] for pk in mine.bundle.invoice_ids if pk in found]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:  # a PDF is compressed in itself
        for done, (name, invoice) in enumerate(zip(names(invoices), invoices, strict=True)):
            if done % STEP == 0:
                mine.write(done=done, leased_until=mine.passed() + LEASE)
            made = pdf.ensure(invoice.pk, now=mine.passed())
            entry = zipfile.ZipInfo(name, date_time=(invoice.issued_at or mine.now).timetuple()[:6])
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, pdf.content(made))


def names(invoices: list[Invoice]) -> list[str]:
    """'INV-000148.pdf' for each, none twice, and none that leads out of a folder."""
    taken: dict[str, str] = {}  # by what a file system without case holds for the same
    for invoice in invoices:
        plain = re.sub(r"[^\w.-]+", "-", invoice.number).strip(".-") or str(invoice.pk)
        name = f"{plain}-{invoice.pk}" if plain.casefold() in taken else plain
        taken[name.casefold()] = f"{name}.pdf"
    return list(taken.values())


def _store(target: IO[bytes], mine: _Claim) -> bool:
    """Keep the file, unless somebody was faster: then theirs counts."""
    field = mine.bundle.file.field
    target.seek(0)
    name = mine.bundle.file.storage.save(field.generate_filename(mine.bundle, ""), File(target))
    try:
        mine.write(file=name, done=mine.bundle.total, ready_at=mine.passed(), leased_until=None)
    except Lost:
        mine.bundle.file.storage.delete(name)
        return False
    return True


def _give_up(mine: _Claim, reason: str) -> None:
    try:
        mine.write(error=reason[:300], leased_until=None)
    except Lost:
        logger.info("Bundle %s is another worker's by now", mine.bundle.pk)


def purge(*, now: datetime, batch: int = 200) -> int:
    """Delete bundles older than a day, with their files. How many."""
    old = list(Bundle.objects.filter(created_at__lt=now - KEPT_FOR).order_by("id")[:batch])
    with transaction.atomic():
        for bundle in old:
            if bundle.file.name:
                transaction.on_commit(partial(bundle.file.storage.delete, bundle.file.name), robust=True)
        Bundle.objects.filter(pk__in=[bundle.pk for bundle in old]).delete()
    return len(old)
