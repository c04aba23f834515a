"""The files of a page that is being written: those of what was saved, those that wait, those of what it is copied from."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from invoicing import lifecycle, uploads
from invoicing.models import Attachment, Invoice, Schedule
from merchants.models import Merchant


class Files:
    """`removed` are public ids that are to go once the page is saved. `source` is an invoice the page was filled from."""

    def __init__(
        self, merchant: Merchant, *, form_key: str, owner: Invoice | Schedule | None, removed: tuple[str, ...], source: Invoice | None = None
    ) -> None:
        self.merchant, self.form_key, self.owner, self.source = merchant, form_key, owner, source
        self.removed = removed[: uploads.MAX_FILES]
        self.errors: list[str] = []

    @property
    def kept(self) -> list[Attachment]:
        """The saved one's own files that are to stay, or those of the invoice it is copied from."""
        held = self.owner or self.source
        return list(held.attachments.exclude(public_id__in=self.removed)) if held else []

    @property
    def all(self) -> list[Attachment]:
        return [*self.kept, *uploads.pending(self.merchant, self.form_key)]

    @property
    def room(self) -> int:
        """How many pending uploads this form may hold."""
        return uploads.MAX_FILES - len(self.kept)

    def take_source(self, now: datetime) -> None:
        """Give the form rows of its own for the source's files, once; from then on they are uploads like any other."""
        source, self.source = self.source, None
        mine = {"merchant": self.merchant, "form_key": self.form_key}
        if source is None or Schedule.objects.filter(**mine).exists() or Invoice.objects.filter(**mine).exists():
            return
        with transaction.atomic():
            lifecycle.locked(source.pk)
            there = Attachment.objects.filter(**mine).values_list("file", flat=True)
            wanted = Attachment.objects.filter(invoice=source).exclude(public_id__in=self.removed).exclude(file__in=list(there))
            uploads.share(wanted, form_key=self.form_key, now=now)

    def remove(self, public_id: str) -> None:
        """Drop a pending upload now; an attachment of what was saved only once the form is saved."""
        if not uploads.drop(uploads.pending(self.merchant, self.form_key).filter(public_id=public_id)):
            self.removed = (*self.removed, public_id)
