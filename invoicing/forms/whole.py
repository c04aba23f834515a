"""The whole page on which an invoice is written: head, lines and files, typed, judged and added up together."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime

from django.http import QueryDict
from django.utils.translation import gettext as _

from invoicing import uploads
from invoicing.authoring import Content
from invoicing.forms import head, lines
from invoicing.models import Attachment, Invoice
from invoicing.totals import Totals, totals
from merchants import assets
from merchants.models import Merchant

_KEY = re.compile(r"[\w-]{43}\Z", re.ASCII)


@dataclass(frozen=True)
class Sums:
    """What the page shows of the money, in minor units. A row that cannot be read counts for nothing and is None."""

    currency: str
    amounts: tuple[int | None, ...]
    totals: Totals
    gross_minor: int  # before discounts: the 'Subtotal' above them
    recipient: str
    sent_at: datetime | None  # None: at once
    due_at: datetime | None
    tokens: int
    networks: int


class Entry:
    """One author's page. `data` is what a browser sent; without it the page shows `invoice`, or a new one.

    `judged=False` shows what was typed again without a verdict (a row was added, a file removed).
    """

    def __init__(
        self, merchant: Merchant, *, now: datetime, invoice: Invoice | None = None, data: QueryDict | None = None, publishing: bool = False, judged: bool = True
    ) -> None:
        self.merchant, self.now, self.invoice, self.publishing = merchant, now, invoice, publishing
        given = (data or {}).get("form_key", "")
        self.form_key = given if _KEY.match(given) else secrets.token_urlsafe(32)
        version = (data or {}).get("version", "")
        self.version = int(version) if version.isdigit() and len(version) < 9 else (invoice.version if invoice else 0)
        self.removed = tuple(data.getlist("removed"))[: uploads.MAX_FILES] if data is not None else ()
        self.file_errors: list[str] = []
        self._read(data, judged)

    def _read(self, data: QueryDict | None, judged: bool) -> None:
        options = {"merchant": self.merchant, "now": self.now, "publishing": self.publishing}
        self.is_bound = data is not None and judged
        if data is None:
            initial = head.written(self.invoice, self.merchant) if self.invoice else head.blank(self.merchant, self.now)
            self.rows = lines.rows_of(self.invoice.lines.all(), self.invoice.currency) if self.invoice else []
            self.head = head.InvoiceForm(initial=initial, **options)
        else:
            self.head = head.InvoiceForm(data, **options)
            self.rows = list(lines.typed(data).values())
            if not judged:
                self.head = head.InvoiceForm(initial=self.head.as_typed(), **options)
        self.rows = self.rows or [lines.empty_row()]
        self._rows()

    def _rows(self) -> None:
        self.lines = lines.bound(self.rows, currency=self.currency) if self.is_bound else lines.shown(self.rows, currency=self.currency)

    @property
    def currency(self) -> str:
        """The chosen currency, or the merchant's while that is none we know: what prices are read in."""
        chosen = self.head["currency"].value()
        return chosen if chosen in dict(self.head.fields["currency"].choices) else self.merchant.currency  # type: ignore[attr-defined]

    # --- changing the page without saving it ------------------------------------------------------------------
    def add_row(self) -> None:
        self.rows.append(lines.empty_row(self.rows[-1].get("tax", "")))
        self._rows()

    def remove_row(self, number: str, data: QueryDict) -> None:
        """Take out the row that had `number` on the page."""
        kept = [row for index, row in lines.typed(data).items() if str(index) != number]
        self.rows = kept or [lines.empty_row()]
        self._rows()

    def remove_file(self, public_id: str) -> None:
        """Drop a pending upload now; an attachment of a saved invoice only once the form is saved."""
        if not uploads.drop(uploads.pending(self.merchant, self.form_key).filter(public_id=public_id)):
            self.removed = (*self.removed, public_id)

    # --- files --------------------------------------------------------------------------------------------------
    @property
    def attached(self) -> list[Attachment]:
        """The saved invoice's own files that are to stay."""
        if self.invoice is None:
            return []
        return list(self.invoice.attachments.exclude(public_id__in=self.removed))

    @property
    def pending(self) -> list[Attachment]:
        return list(uploads.pending(self.merchant, self.form_key))

    @property
    def files(self) -> list[Attachment]:
        return [*self.attached, *self.pending]

    @property
    def room(self) -> int:
        """How many pending uploads this form may hold."""
        return uploads.MAX_FILES - len(self.attached)

    # --- the verdict --------------------------------------------------------------------------------------------
    def is_valid(self) -> bool:
        """Judge everything, so that every refusal is shown at once."""
        head_valid, lines_valid = self.head.is_valid(), self.lines.is_valid()
        if len(self.files) > uploads.MAX_FILES:
            self.file_errors.append(_("An invoice holds 10 files. Remove some."))
        lines_there = lines_valid and self._has_lines()
        return head_valid and lines_there and not self.file_errors

    def _has_lines(self) -> bool:
        if self.publishing and not sum(counted or 0 for counted in self.sums().amounts):
            self.lines._non_form_errors.append(_("The total is zero. Add an item with a price."))  # type: ignore[attr-defined]
            return False
        return True

    def content(self) -> Content:
        """What was typed, clean. Only after `is_valid`."""
        cleaned = self.head.cleaned_data
        names = ("payer_name", "payer_email", "payer_address", "payer_tax_id", "payer_reference", "merchant_name", "merchant_email")
        more = ("title", "description", "currency", "prices_include_tax", "all_assets", "issue_at", "due_at", "notify_email", "notify_webhook")
        return Content(**{name: cleaned[name] for name in (*names, *more)}, asset_ids=tuple(cleaned["asset_ids"]), lines=self.lines.written())

    # --- the money ----------------------------------------------------------------------------------------------
    def sums(self) -> Sums:
        """Add up what can be read, whatever else is wrong with the page."""
        judged = self.lines if self.is_bound else lines.bound(self.rows, currency=self.currency)
        judged.is_valid()
        inside = self.head["prices_include_tax"].value() in ("1", True)
        result = totals((form.line for form in judged.forms if form.line), prices_include_tax=inside)
        counted = iter(result.lines)
        amounts = tuple(next(counted).amount_minor if form.line else None for form in judged.forms)
        chosen = self._tokens()
        return Sums(
            currency=self.currency,
            amounts=amounts,
            totals=result,
            gross_minor=sum(line.gross_minor for line in result.lines),
            recipient=str(self.head["payer_name"].value() or "").strip(),
            sent_at=self._moment("issue"),
            due_at=self._moment("due"),
            tokens=len(chosen),
            networks=len({token.network.id for token in chosen}),
        )

    def table(self) -> list[tuple[lines.LineForm, int | None]]:
        """The rows with what each comes to."""
        return list(zip(self.lines.forms, self.sums().amounts, strict=True))

    def _tokens(self) -> list[assets.Asset]:
        accepted = self.head.tokens
        return accepted if self.head["all_assets"].value() else assets.among(accepted, self.head["asset_ids"].value() or [])

    def _moment(self, field: str) -> datetime | None:
        """The send or due time as far as it can be read; a send time that has passed is 'at once'."""
        probe = self.head if self.head.is_bound else head.InvoiceForm(self._raw(), merchant=self.merchant, now=self.now)
        probe.is_valid()
        found: datetime | None = probe.cleaned_data.get(f"{field}_at")
        return None if field == "issue" and found and found <= self.now else found

    def _raw(self) -> dict[str, object]:
        return {name: self.head[name].value() for name in self.head.fields}
